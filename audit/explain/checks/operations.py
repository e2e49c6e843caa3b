"""What each operation of torch does to data: moves it, mixes it linearly, bends it, curves it, or decides on it.

Names are those of aten, without the underscore of the in-place form. An operation in no table is not known, and a model
that has one on the way from its inputs to its output is "unknown" to the doctor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

Kind = Literal["move", "linear", "kink", "curve", "bent_curve", "step", "decision", "random", "unknown"]
"""What an operation does to the data that reaches it. A "bent_curve" is curved and has a kink (ELU); a "step" is flat
 between jumps; a "decision" gives no floating-point number (a comparison, an index, a branch)."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MOVES = _names(
    "view reshape _reshape_alias _unsafe_view transpose t permute expand expand_as select slice squeeze unsqueeze "
    "narrow clone detach alias unbind split split_with_sizes unsafe_split chunk flip roll repeat tile contiguous "
    "movedim diagonal flatten unflatten as_strided lift_fresh cat stack hstack vstack constant_pad_nd _to_copy "
    "copy _copy_from pixel_shuffle pixel_unshuffle channel_shuffle unfold im2col _pin_memory resolve_conj "
    "resolve_neg view_as select_scatter slice_scatter _pack_padded_sequence _pad_packed_sequence "
    "repeat_interleave unsafe_chunk reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d "
    "replication_pad2d replication_pad3d pad index index_select gather masked_select masked_fill tril triu take "
    "squeeze_copy permute_copy expand_copy set_data"
)
ADDITIVE = _names(
    "add sub rsub cat stack copy where index_put index_add scatter_add select_scatter slice_scatter hstack vstack "
    "_foreach_add index_copy scatter masked_scatter"
)
PRODUCTS = _names(
    "mul mm addmm bmm baddbmm matmul linear mv dot addmv addbmm convolution _convolution conv1d conv2d conv3d "
    "cudnn_convolution mkldnn_convolution miopen_convolution convolution_overrideable conv_transpose1d "
    "conv_transpose2d div true_divide addcmul outer vdot inner kron einsum _mkl_linear mkldnn_linear"
)
SUMS = _names(
    "neg positive mean sum nansum cumsum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d upsample_nearest1d "
    "upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d "
    "upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_bilinear2d_aa trace col2im "
    "fill zero embedding _embedding_bag embedding_bag real imag _fft_r2c _fft_c2r _fft_c2c view_as_real "
    "view_as_complex complex diff"
)
NORMS = _names("native_batch_norm cudnn_batch_norm miopen_batch_norm _native_batch_norm_legit batch_norm")
NORMS_AT_REST = _names("_native_batch_norm_legit_no_training _batch_norm_no_update")
KINKS = _names(
    "relu relu6 leaky_relu hardtanh clamp clamp_min clamp_max abs threshold prelu _prelu_kernel softshrink "
    "hardsigmoid maximum minimum max min amax amin fmax fmin max_pool1d max_pool2d max_pool3d "
    "max_pool2d_with_indices max_pool3d_with_indices max_pool1d_with_indices adaptive_max_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d sort topk median kthvalue cummax cummin rrelu_with_noise aminmax "
    "mkldnn_max_pool2d"
)
BENT_CURVES = _names("elu celu selu hardswish")
CURVES = _names(
    "sigmoid tanh gelu silu mish softplus exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos "
    "atan atan2 sinh cosh asinh acosh atanh erf erfc erfinv lgamma digamma sigmoid_backward _softmax _log_softmax "
    "softmax log_softmax _safe_softmax logsumexp logaddexp logaddexp2 log_sigmoid log_sigmoid_forward softsign "
    "reciprocal square pow var std var_mean std_mean native_layer_norm layer_norm _fused_rms_norm rms_norm "
    "native_group_norm group_norm instance_norm linalg_vector_norm norm frobenius_norm _weight_norm_interface "
    "prod cumprod logcumsumexp mse_loss _scaled_dot_product_flash_attention "
    "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_attention_math "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention scaled_dot_product_attention "
    "_scaled_dot_product_fused_attention_overrideable _masked_softmax _native_multi_head_attention "
    "_transformer_encoder_layer_fwd mkldnn_rnn_layer _thnn_fused_lstm_cell _thnn_fused_gru_cell _cudnn_rnn lstm "
    "gru rnn_tanh lstm_cell gru_cell rnn_tanh_cell addcdiv lerp cosine_similarity _cdist_forward cdist glu sinc "
    "hypot binary_cross_entropy_with_logits binary_cross_entropy nll_loss nll_loss_forward xlogy special_entr "
    "erfcx linalg_inv_ex linalg_solve _linalg_solve_ex linalg_cross angle sgn_complex _euclidean_dist polar"
)
STEPS = _names(
    "round floor ceil trunc sign sgn heaviside floor_divide fix hardshrink frac fmod remainder bucketize searchsorted"
)
RANDOM = _names(
    "bernoulli native_dropout dropout alpha_dropout feature_dropout _fused_dropout normal uniform rand rand_like "
    "randn randn_like randint randint_like randperm multinomial exponential random poisson geometric cauchy "
    "log_normal"
)
EMPTY = _names(
    "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full new_empty_strided "
    "empty_strided scalar_tensor rand_like randn_like randint_like sym_size sym_numel"
)
"""Made like a tensor, without a look at its numbers."""
BRANCHES = _names("_local_scalar_dense is_nonzero equal item")
INPLACE_ACTIVATIONS = KINKS | BENT_CURVES | _names("sigmoid tanh gelu silu mish exp sqrt dropout")


def kind_of(name: str, args: Sequence[Any], from_data: Sequence[bool], whole: bool) -> Kind:
    """What an operation does to data.

    Args:
        name: of aten, without the in-place underscore.
        args: as it was called, by position.
        from_data: for each of `args`, whether it is a tensor (or holds one) that was computed from the inputs.
        whole: whether all data that came in is floating-point.
    """
    if name in RANDOM:
        return "random"
    if name in BRANCHES:
        return "decision"
    if name in STEPS:
        return "step"
    if name in KINKS:
        return "kink" if whole else "unknown"
    if name in BENT_CURVES:
        return "bent_curve"
    if name in NORMS_AT_REST or name in NORMS:
        return _norm(name, args, from_data)
    if name == "pow":
        return "linear" if len(args) > 1 and not isinstance(args[1], Tensor) and args[1] == 1 else "curve"
    if name in CURVES:
        return "curve"
    if not whole and name != "_to_copy":
        return "linear" if name in ("embedding", "_embedding_bag", "embedding_bag") else "unknown"
    return _linear(name, from_data)


def _norm(name: str, args: Sequence[Any], from_data: Sequence[bool]) -> Kind:
    """Batch norm multiplies by constants, unless it takes its mean and variance from the batch."""
    at_rest = name in NORMS_AT_REST or (len(args) > 5 and isinstance(args[5], bool) and not args[5])
    return "linear" if at_rest and not any(from_data[1:]) else "curve"


def _linear(name: str, from_data: Sequence[bool]) -> Kind:
    """An operation that is linear in each argument alone."""
    several = sum(from_data) > 1
    if name in ("where", "scatter", "masked_scatter"):
        decided = from_data[0] if name == "where" else any(from_data[1:-1])
        return "unknown" if decided else "linear"
    if name in ADDITIVE:
        return "move" if name in MOVES else "linear"
    if name in MOVES:
        return "unknown" if several else "move"
    if name in PRODUCTS:
        divided = name in ("div", "true_divide") and len(from_data) > 1 and from_data[1]
        added = name in ("addmm", "baddbmm", "addmv", "addbmm", "addcmul", "_addmm_activation")  # their first argument
        return "curve" if divided or sum(from_data[1:] if added else from_data) > 1 else "linear"
    return "linear" if name in SUMS and not several else "unknown"
