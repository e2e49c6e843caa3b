"""gnomon examines trained models. Import the room you need: gnomon.models, gnomon.audit, gnomon.reports."""
