#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "gpu/dnn/primitives.hpp"
#include "messages/memory.hpp"

namespace troupe::learn {

/// Where the parameters of a slice are now. `version` changes whenever the slice's block is bound.
struct bound_slice {
  const float* data = nullptr;
  uint64_t version = 0;
};

/// A parameter in the layout and element type that a primitive wants, converted when the parameter has changed.
class prepared_weight {
public:
  /// `plain`: the parameter as it lies in the flat buffer; `wanted`: as the primitive reads it.
  prepared_weight(size_t slice, const gpu::dnn::desc& plain, const gpu::dnn::desc& wanted);

  [[nodiscard]] const gpu::dnn::memory& memory() const { return converted_; }
  /// The same bytes under another description of the same size, such as the transposed matrix.
  [[nodiscard]] gpu::dnn::memory seen_as(const gpu::dnn::desc& d);
  [[nodiscard]] size_t slice() const { return slice_; }
  /// Brings `memory()` up to date with the bound parameters.
  void refresh(std::span<const bound_slice> parameters);

private:
  size_t slice_;
  gpu::dnn::memory plain_;
  gpu::dnn::memory converted_; ///< `plain_` itself where nothing needs converting
  std::vector<gpu::dnn::memory> views_;
  std::shared_ptr<std::byte> storage_;
  gpu::dnn::operation conversion_;
  uint64_t version_ = 0;
};

/// All converted parameters of a replica, shared by its plans.
class prepared_weights {
public:
  std::shared_ptr<prepared_weight> get(size_t slice, const gpu::dnn::desc& plain, const gpu::dnn::desc& wanted);

private:
  std::vector<std::shared_ptr<prepared_weight>> all_;
};

} // namespace troupe::learn
