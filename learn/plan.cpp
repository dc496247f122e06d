#include "learn/plan.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace troupe::learn {

namespace {

constexpr size_t round_up(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

dnn::tag row_major(size_t rank) {
  constexpr dnn::tag tags[] = {dnn::tag::undef, dnn::tag::a, dnn::tag::ab, dnn::tag::abc, dnn::tag::abcd};
  assert(rank < std::size(tags));
  return tags[rank];
}

/// Zeroes what no layer writes: the gaps between slices, and slices that no operation of the plan touches.
void clear_padding(const layout& l, float* gradient) {
  size_t end = 0;
  for (const auto& s : l.slices()) {
    std::fill(gradient + end, gradient + s.offset, 0.0f);
    end = s.offset + s.size;
  }
  std::fill(gradient + end, gradient + l.size(), 0.0f);
}

} // namespace

void plan::place(std::byte* arena) {
  for (auto& s : slots_)
    for (auto& view : s.views)
      view.set_data_handle(arena + s.offset);
}

void plan::run_to_block(size_t i, const pass& p) const {
  const size_t begin = i == 0 ? 0 : block_ends_[i - 1];
  if (begin == 0)
    for (const auto& view : images_)
      view.set_data_handle(const_cast<float*>(p.in.images)); // only ever an input
  for (size_t op = begin; op < block_ends_[i]; ++op)
    operations_[op](p);
}

void plan::run(const pass& p) const {
  for (const auto& view : images_)
    view.set_data_handle(const_cast<float*>(p.in.images));
  for (const auto& op : operations_)
    op(p);
}

/// Largest first, each at the lowest offset where it meets no tensor that is alive at the same time.
void plan::assign_offsets() {
  std::vector<size_t> order(slots_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return slots_[a].bytes > slots_[b].bytes; });
  std::vector<const slot*> placed; // by offset
  for (size_t index : order) {
    auto& s = slots_[index];
    size_t offset = 0;
    for (const auto* other : placed) {
      if (other->last < s.first || s.last < other->first)
        continue;
      if (offset + s.bytes <= other->offset)
        break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    s.offset = offset;
    arena_bytes_ = std::max(arena_bytes_, offset + s.bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [](size_t at, const slot* other) { return at < other->offset; }),
                  &s);
  }
}

plan_builder::plan_builder(config c) : config_(c) {
  for (const auto& b : layout().blocks())
    slices_left_.push_back(b.last - b.first);
  if (training())
    emit("clear padding", {}, [&l = layout()](const pass& p) { clear_padding(l, p.gradient); });
}

dnn::data_type plan_builder::type() const {
  return config_.of.options().arithmetic == precision::bf16 ? dnn::data_type::bf16 : dnn::data_type::f32;
}

dnn::tag plan_builder::usual_order() const {
  // AVX-512's direct convolutions want 16 channels side by side, AMX's all of them.
  return type() == dnn::data_type::bf16 && dnn::has_tiles() ? dnn::tag::nhwc : dnn::tag::nChw16c;
}

dnn::desc plan_builder::image(sample_shape s, dnn::tag order) const {
  return {{samples(), s.channels, s.height, s.width}, type(), order};
}

dnn::desc plan_builder::rows(sample_shape s, dnn::data_type type) const {
  return {{samples(), static_cast<int64_t>(s.size())}, type, dnn::tag::nc};
}

tensor plan_builder::images() {
  const auto& s = config_.of.options().input;
  const dnn::desc d({samples(), s.channels, s.height, s.width}, dnn::data_type::f32, dnn::tag::nchw);
  plan_.images_.push_back(dnn::unbound(d));
  return {plan_.images_.back(), no_slot};
}

tensor plan_builder::make(const dnn::desc& d) {
  plan::slot s;
  s.bytes = round_up(d.get_size());
  s.first = plan_.operations_.size();
  s.last = s.first;
  s.views.push_back(dnn::unbound(d));
  plan_.slots_.push_back(s);
  return {s.views.back(), plan_.slots_.size() - 1};
}

tensor plan_builder::view(const tensor& of, const dnn::desc& d) {
  if (of.desc() == d)
    return of;
  assert(d.get_size() <= of.desc().get_size());
  auto& views = of.slot_ == no_slot ? plan_.images_ : plan_.slots_[of.slot_].views;
  return {views.emplace_back(dnn::unbound(d)), of.slot_};
}

tensor plan_builder::convert(const tensor& from, const dnn::desc& to) {
  if (from.desc() == to)
    return from;
  const auto from_dims = dnn::dims_of(from.desc());
  const auto to_dims = dnn::dims_of(to);
  if (from_dims.size() > to_dims.size())
    return view(convert(from, {from_dims, dnn::type_of(to), dnn::tag::nchw}), to);
  if (from_dims.size() < to_dims.size())
    return convert(view(from, {to_dims, dnn::type_of(from.desc()), dnn::tag::nchw}), to);
  auto result = make(to);
  emit("convert", {from, result}, [op = dnn::reorder(from.memory(), result.memory())](const pass&) { op.run(); });
  return result;
}

tensor plan_builder::as_image(const tensor& from, sample_shape shape) {
  const bool usable = dnn::image_order(from.desc()) != dnn::tag::undef && dnn::type_of(from.desc()) == type();
  return usable ? from : convert(from, image(shape));
}

std::shared_ptr<prepared_weight> plan_builder::weight(size_t slice, const dnn::desc& wanted) {
  const auto& dims = layout().slices()[slice].dims;
  return config_.weights.get(slice, {dims, dnn::data_type::f32, row_major(dims.size())}, wanted);
}

gradient_target plan_builder::gradient(size_t slice, const dnn::desc& computed) {
  const auto& s = layout().slices()[slice];
  const dnn::desc plain_desc(s.dims, dnn::data_type::f32, row_major(s.dims.size()));
  auto plain = dnn::unbound(plain_desc);
  if (computed == plain_desc)
    return {tensor(), plain, {}, s.offset};
  auto staging = make(computed);
  auto copy = dnn::reorder(staging.memory(), plain);
  return {staging, plain, copy, s.offset};
}

void plan_builder::emit(std::string_view name, const std::vector<tensor>& touched, work what,
                        const std::vector<size_t>& final) {
  const size_t index = plan_.operations_.size();
  for (const auto& t : touched) {
    if (!t || t.slot_ == no_slot)
      continue;
    auto& s = plan_.slots_[t.slot_];
    s.last = index;
  }
  plan_.operations_.push_back(std::move(what));
  plan_.names_.push_back(name);
  for (auto slice = final.rbegin(); slice != final.rend(); ++slice) { // the last block leaves first
    const size_t b = layout().block_of(*slice);
    if (--slices_left_[b] == 0) {
      plan_.blocks_.push_back(b);
      plan_.block_ends_.push_back(index + 1);
    }
  }
}

plan plan_builder::finish() {
  assert(!training() || plan_.blocks_.size() == layout().blocks().size());
  // The last block is final when everything is: nothing stays behind it.
  if (!plan_.block_ends_.empty())
    plan_.block_ends_.back() = plan_.operations_.size();
  plan_.assign_offsets();
  return std::move(plan_);
}

} // namespace troupe::learn
