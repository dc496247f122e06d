#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <unordered_map>
#include <vector>

/// Thin spelling of oneDNN's primitives. Everything that differs between oneDNN 2.x, which has operation descriptors,
/// and 3.x, which has none, is in primitives.cpp.
namespace troupe::gpu::dnn {

using dnnl::memory;
using desc = dnnl::memory::desc;
using dims = std::vector<int64_t>;
using data_type = dnnl::memory::data_type;
using tag = dnnl::memory::format_tag;

/// The process's CPU engine.
dnnl::engine& engine();

/// The calling thread's in-order stream. Operations have finished when `operation::run` returns.
dnnl::stream& stream();

/// True where oneDNN computes bf16 natively (AVX-512 BF16 or AMX), the environment's DNNL_MAX_CPU_ISA considered.
bool computes_bf16();

/// Whether this processor multiplies matrices of bf16 in tiles (AMX).
bool has_tiles();

/// Whether oneDNN has nothing better for what `d` describes than its reference code, which is a hundred times slower.
bool is_reference(const dnnl::primitive_desc_base& d);

dims dims_of(const desc& d);
data_type type_of(const desc& d);

/// nChw16c or nhwc, the two orders in which layers exchange images; undef where `d` is neither.
tag image_order(const desc& d);

/// Memory of description `d` without storage; `set_data_handle` gives it some.
memory unbound(const desc& d);

/// A primitive with its arguments, ready to run any number of times on whatever the arguments' handles point to then.
class operation {
public:
  operation() = default;
  operation(dnnl::primitive what, std::unordered_map<int, memory> arguments)
    : what_(std::move(what)), arguments_(std::move(arguments)) {}
  void run() const { what_.execute(stream(), arguments_); }

private:
  dnnl::primitive what_;
  std::unordered_map<int, memory> arguments_;
};

/// Copies `from` to `to`, changing layout and element type on the way.
operation reorder(const memory& from, const memory& to);

/// What happens to a result before it is stored.
enum class epilogue : uint8_t { none, relu };

/// Kernel, stride and symmetric zero padding of a sliding window, each (height, width).
struct window {
  dims kernel;
  dims stride;
  dims padding;
};

/// Descriptions of a convolution's tensors, activations (n, c, h, w) and weights (out, in, height, width); layouts may
/// be `tag::any`. `bias` is empty (`desc()`) where there is none.
struct convolution {
  desc source;
  desc weights;
  desc bias;
  desc destination;
  window over;
  /// Asks for Winograd's minimal filtering, F(4x4, 3x3), which multiplies 4 times less for 3x3 windows of stride 1 (A.
  /// Lavin, S. Gray: "Fast Algorithms for Convolutional Neural Networks", 2015). Computed directly where oneDNN does
  /// not have it.
  bool winograd = false;
};
/// Their scratchpad (`scratchpad_desc()`) is the argument DNNL_ARG_SCRATCHPAD.
dnnl::convolution_forward::primitive_desc convolution_forward(const convolution& c, bool training, epilogue after);
dnnl::convolution_backward_data::primitive_desc
convolution_backward_data(const convolution& c, const dnnl::convolution_forward::primitive_desc& forward);
/// `weights` and `bias` describe their gradients here.
dnnl::convolution_backward_weights::primitive_desc
convolution_backward_weights(const convolution& c, const dnnl::convolution_forward::primitive_desc& forward);

/// destination (n, out) = source (n, in) x weights (out, in) transposed + bias (out).
struct inner_product {
  desc source;
  desc weights;
  desc bias;
  desc destination;
};
dnnl::inner_product_forward::primitive_desc inner_product_forward(const inner_product& p, bool training,
                                                                  epilogue after);
dnnl::inner_product_backward_weights::primitive_desc
inner_product_backward_weights(const inner_product& p, const dnnl::inner_product_forward::primitive_desc& forward);

/// result (n, columns) = left (n, k) x right (k, columns) + bias (1, columns), which is empty where there is none.
/// Reads row-major matrices and transposed ones as fast as others, and gives the same bits with any number of threads.
struct matrix_product {
  desc left;
  desc right;
  desc bias;
  desc result;
};
/// Its scratchpad is the argument DNNL_ARG_SCRATCHPAD.
dnnl::matmul::primitive_desc product_of(const matrix_product& p, epilogue after);

/// Mean of a window; padding counts as zeros (PyTorch's default).
struct average_pooling {
  desc source;
  desc destination;
  window over;
};
dnnl::pooling_forward::primitive_desc pooling_forward(const average_pooling& p, bool training);
dnnl::pooling_backward::primitive_desc pooling_backward(const average_pooling& p,
                                                        const dnnl::pooling_forward::primitive_desc& forward);

/// Elementwise functions. The gradients of `relu` and `tanh` are computed from the result, that of `gelu` (the exact
/// one, by the error function) from the argument.
enum class elementwise_kind : uint8_t { relu, tanh, gelu };
bool gradient_from_result(elementwise_kind kind);
dnnl::eltwise_forward::primitive_desc elementwise_forward(elementwise_kind kind, const desc& data, bool training);
dnnl::eltwise_backward::primitive_desc elementwise_backward(elementwise_kind kind, const desc& data,
                                                            const dnnl::eltwise_forward::primitive_desc& forward);

} // namespace troupe::gpu::dnn
