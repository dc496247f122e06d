#include "learn/prepared_weights.hpp"

#include <algorithm>

namespace troupe::learn {

namespace dnn = gpu::dnn;

prepared_weight::prepared_weight(size_t slice, const dnn::desc& plain, const dnn::desc& wanted)
  : slice_(slice), plain_(dnn::unbound(plain)), converted_(plain_) {
  if (plain == wanted)
    return;
  storage_ = acquire_memory(wanted.get_size());
  converted_ = dnn::unbound(wanted);
  converted_.set_data_handle(storage_.get());
  conversion_ = dnn::reorder(plain_, converted_);
}

void prepared_weight::refresh(std::span<const bound_slice> parameters) {
  const auto& now = parameters[slice_];
  if (version_ == now.version)
    return;
  version_ = now.version;
  plain_.set_data_handle(const_cast<float*>(now.data)); // only ever an input
  if (storage_) {
    conversion_.run();
    return;
  }
  for (const auto& view : views_)
    view.set_data_handle(plain_.get_data_handle());
}

dnn::memory prepared_weight::seen_as(const dnn::desc& d) {
  if (converted_.get_desc() == d)
    return converted_;
  auto& view = views_.emplace_back(dnn::unbound(d));
  view.set_data_handle(converted_.get_data_handle());
  return view;
}

std::shared_ptr<prepared_weight> prepared_weights::get(size_t slice, const dnn::desc& plain, const dnn::desc& wanted) {
  const auto found = std::find_if(
    all_.begin(), all_.end(), [&](const auto& w) { return w->slice() == slice && w->memory().get_desc() == wanted; });
  if (found != all_.end())
    return *found;
  return all_.emplace_back(std::make_shared<prepared_weight>(slice, plain, wanted));
}

} // namespace troupe::learn
