"""Whether explanations can be trusted: faithful, robust, simple, in the right places, sane; with intervals by group."""
