#include "gpu/dnn/primitives.hpp"

#include <string_view>

namespace troupe::gpu::dnn {

namespace {

constexpr float unused = 0; // alpha and beta of functions without parameters

dnnl::prop_kind direction(bool training) {
  return training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
}

dnnl::algorithm forward_algorithm(elementwise_kind kind) {
  switch (kind) {
  case elementwise_kind::relu:
    return dnnl::algorithm::eltwise_relu_use_dst_for_bwd;
  case elementwise_kind::tanh:
    return dnnl::algorithm::eltwise_tanh_use_dst_for_bwd;
  case elementwise_kind::gelu:
    break;
  }
  return dnnl::algorithm::eltwise_gelu_erf;
}

/// The bits of an instruction set are a superset of those it extends.
bool reaches(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

constexpr auto average = dnnl::algorithm::pooling_avg_include_padding;

/// The scratchpad is an argument: oneDNN's own belongs to the thread that made the primitive, and is lost with it.
dnnl::primitive_attr own_scratchpad(dnnl::primitive_attr attr = {}) {
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

/// What `make` describes with Winograd's algorithm if `c` asks for it and oneDNN has it, else directly.
template <class Make>
auto with_algorithm(const convolution& c, Make make) {
  if (c.winograd)
    if (auto made = make(dnnl::algorithm::convolution_winograd, true); made.get(true))
      return made;
  return make(dnnl::algorithm::convolution_direct, false);
}

} // namespace

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream in_order(engine());
  return in_order;
}

tag image_order(const desc& d) {
  const auto size = dims_of(d);
  for (const auto order : {tag::nChw16c, tag::nhwc})
    if (size.size() == 4 && d == desc(size, type_of(d), order))
      return order;
  return tag::undef;
}

memory unbound(const desc& d) {
  return memory(d, engine(), DNNL_MEMORY_NONE);
}

operation reorder(const memory& from, const memory& to) {
  return operation(dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

bool gradient_from_result(elementwise_kind kind) {
  return kind != elementwise_kind::gelu;
}

bool computes_bf16() {
  return reaches(dnnl::cpu_isa::avx512_core_bf16);
}

bool has_tiles() {
  return reaches(dnnl::cpu_isa::avx512_core_amx);
}

bool is_reference(const dnnl::primitive_desc_base& d) {
  return std::string_view(d.impl_info_str()).starts_with("ref");
}

#if DNNL_VERSION_MAJOR >= 3

namespace {

dnnl::primitive_attr attributes(epilogue after) {
  dnnl::primitive_attr attr;
  if (after == epilogue::relu) {
    dnnl::post_ops ops;
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, unused, unused);
    attr.set_post_ops(ops);
  }
  return attr;
}

const dims no_dilation = {0, 0};

} // namespace

dims dims_of(const desc& d) {
  return d.get_dims();
}

data_type type_of(const desc& d) {
  return d.get_data_type();
}

dnnl::convolution_forward::primitive_desc convolution_forward(const convolution& c, bool training, epilogue after) {
  const auto& w = c.over;
  return with_algorithm(c, [&](dnnl::algorithm how, bool may_lack) {
    return dnnl::convolution_forward::primitive_desc(engine(), direction(training), how, c.source, c.weights, c.bias,
                                                     c.destination, w.stride, w.padding, w.padding,
                                                     own_scratchpad(attributes(after)), may_lack);
  });
}

dnnl::convolution_backward_data::primitive_desc
convolution_backward_data(const convolution& c, const dnnl::convolution_forward::primitive_desc& forward) {
  const auto& w = c.over;
  return with_algorithm(c, [&](dnnl::algorithm how, bool may_lack) {
    return dnnl::convolution_backward_data::primitive_desc(engine(), how, c.source, c.weights, c.destination, w.stride,
                                                           w.padding, w.padding, forward, own_scratchpad(), may_lack);
  });
}

dnnl::convolution_backward_weights::primitive_desc
convolution_backward_weights(const convolution& c, const dnnl::convolution_forward::primitive_desc& forward) {
  const auto& w = c.over;
  return with_algorithm(c, [&](dnnl::algorithm how, bool may_lack) {
    return dnnl::convolution_backward_weights::primitive_desc(engine(), how, c.source, c.weights, c.bias, c.destination,
                                                              w.stride, w.padding, w.padding, forward, own_scratchpad(),
                                                              may_lack);
  });
}

dnnl::inner_product_forward::primitive_desc inner_product_forward(const inner_product& p, bool training,
                                                                  epilogue after) {
  return {engine(), direction(training), p.source, p.weights, p.bias, p.destination, attributes(after)};
}

dnnl::matmul::primitive_desc product_of(const matrix_product& p, epilogue after) {
  return {engine(), p.left, p.right, p.bias, p.result, own_scratchpad(attributes(after))};
}

dnnl::inner_product_backward_weights::primitive_desc
inner_product_backward_weights(const inner_product& p, const dnnl::inner_product_forward::primitive_desc& forward) {
  return {engine(), p.source, p.weights, p.bias, p.destination, forward};
}

dnnl::pooling_forward::primitive_desc pooling_forward(const average_pooling& p, bool training) {
  const auto& w = p.over;
  return {engine(), direction(training), average,   p.source, p.destination, w.stride,
          w.kernel, no_dilation,         w.padding, w.padding};
}

dnnl::pooling_backward::primitive_desc pooling_backward(const average_pooling& p,
                                                        const dnnl::pooling_forward::primitive_desc& forward) {
  const auto& w = p.over;
  return {engine(), average, p.source, p.destination, w.stride, w.kernel, no_dilation, w.padding, w.padding, forward};
}

dnnl::eltwise_forward::primitive_desc elementwise_forward(elementwise_kind kind, const desc& data, bool training) {
  return {engine(), direction(training), forward_algorithm(kind), data, data, unused, unused};
}

dnnl::eltwise_backward::primitive_desc elementwise_backward(elementwise_kind kind, const desc& data,
                                                            const dnnl::eltwise_forward::primitive_desc& forward) {
  return {engine(), forward_algorithm(kind), data, data, data, unused, unused, forward};
}

#else

namespace {

dnnl::primitive_attr attributes(epilogue after) {
  dnnl::primitive_attr attr;
  if (after == epilogue::relu) {
    dnnl::post_ops ops;
    ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, unused, unused);
    attr.set_post_ops(ops);
  }
  return attr;
}

} // namespace

dims dims_of(const desc& d) {
  return d.dims();
}

data_type type_of(const desc& d) {
  return d.data_type();
}

dnnl::convolution_forward::primitive_desc convolution_forward(const convolution& c, bool training, epilogue after) {
  const auto& w = c.over;
  return with_algorithm(c, [&](dnnl::algorithm how, bool may_lack) {
    const dnnl::convolution_forward::desc d(direction(training), how, c.source, c.weights, c.bias, c.destination,
                                            w.stride, w.padding, w.padding);
    return dnnl::convolution_forward::primitive_desc(d, own_scratchpad(attributes(after)), engine(), may_lack);
  });
}

dnnl::convolution_backward_data::primitive_desc
convolution_backward_data(const convolution& c, const dnnl::convolution_forward::primitive_desc& forward) {
  const auto& w = c.over;
  return with_algorithm(c, [&](dnnl::algorithm how, bool may_lack) {
    const dnnl::convolution_backward_data::desc d(how, c.source, c.weights, c.destination, w.stride, w.padding,
                                                  w.padding);
    return dnnl::convolution_backward_data::primitive_desc(d, own_scratchpad(), engine(), forward, may_lack);
  });
}

dnnl::convolution_backward_weights::primitive_desc
convolution_backward_weights(const convolution& c, const dnnl::convolution_forward::primitive_desc& forward) {
  const auto& w = c.over;
  return with_algorithm(c, [&](dnnl::algorithm how, bool may_lack) {
    const dnnl::convolution_backward_weights::desc d(how, c.source, c.weights, c.bias, c.destination, w.stride,
                                                     w.padding, w.padding);
    return dnnl::convolution_backward_weights::primitive_desc(d, own_scratchpad(), engine(), forward, may_lack);
  });
}

dnnl::inner_product_forward::primitive_desc inner_product_forward(const inner_product& p, bool training,
                                                                  epilogue after) {
  const dnnl::inner_product_forward::desc d(direction(training), p.source, p.weights, p.bias, p.destination);
  return {d, attributes(after), engine()};
}

dnnl::matmul::primitive_desc product_of(const matrix_product& p, epilogue after) {
  return {dnnl::matmul::desc(p.left, p.right, p.bias, p.result), own_scratchpad(attributes(after)), engine()};
}

dnnl::inner_product_backward_weights::primitive_desc
inner_product_backward_weights(const inner_product& p, const dnnl::inner_product_forward::primitive_desc& forward) {
  return {dnnl::inner_product_backward_weights::desc(p.source, p.weights, p.bias, p.destination), engine(), forward};
}

dnnl::pooling_forward::primitive_desc pooling_forward(const average_pooling& p, bool training) {
  const auto& w = p.over;
  const dnnl::pooling_forward::desc d(direction(training), average, p.source, p.destination, w.stride, w.kernel,
                                      w.padding, w.padding);
  return {d, engine()};
}

dnnl::pooling_backward::primitive_desc pooling_backward(const average_pooling& p,
                                                        const dnnl::pooling_forward::primitive_desc& forward) {
  const auto& w = p.over;
  const dnnl::pooling_backward::desc d(average, p.source, p.destination, w.stride, w.kernel, w.padding, w.padding);
  return {d, engine(), forward};
}

dnnl::eltwise_forward::primitive_desc elementwise_forward(elementwise_kind kind, const desc& data, bool training) {
  return {dnnl::eltwise_forward::desc(direction(training), forward_algorithm(kind), data, unused, unused), engine()};
}

dnnl::eltwise_backward::primitive_desc elementwise_backward(elementwise_kind kind, const desc& data,
                                                            const dnnl::eltwise_forward::primitive_desc& forward) {
  return {dnnl::eltwise_backward::desc(forward_algorithm(kind), data, data, unused, unused), engine(), forward};
}

#endif

} // namespace troupe::gpu::dnn
