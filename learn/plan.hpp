#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "gpu/dnn/primitives.hpp"
#include "learn/layout.hpp"
#include "learn/model.hpp"
#include "learn/prepared_weights.hpp"
#include "learn/replica.hpp"

namespace troupe::learn {

namespace dnn = gpu::dnn;

/// The slot of tensors that do not live in the arena.
inline constexpr size_t no_slot = static_cast<size_t>(-1);

/// A tensor of a plan. Its storage is part of the arena and shared with tensors that are not alive at the same time.
class tensor {
public:
  tensor() = default;
  explicit operator bool() const { return memory_.get(true) != nullptr; }

  [[nodiscard]] const dnn::memory& memory() const { return memory_; }
  [[nodiscard]] dnn::desc desc() const { return memory_.get_desc(); }
  /// Valid while the plan runs, not while it is built.
  template <class T>
  [[nodiscard]] T* data() const {
    return static_cast<T*>(memory_.get_data_handle());
  }

private:
  friend class plan_builder;
  tensor(dnn::memory memory, size_t slot) : memory_(std::move(memory)), slot_(slot) {}
  dnn::memory memory_;
  size_t slot_ = no_slot;
};

/// One run of a plan: what the operations read besides tensors.
struct pass {
  std::span<const bound_slice> parameters; ///< by slice index
  micro_batch_data in;
  replica::train_options options;
  float* gradient = nullptr; ///< flat buffer; null in evaluation
  batch_result* result = nullptr;
};

using work = std::function<void(const pass&)>;

/// The operations of a forward (and backward) pass over micro-batches of one size, with everything they need: nothing
/// is allocated when it runs. Built and run on the lane thread, since oneDNN fits primitives to the thread team it
/// sees.
class plan {
public:
  /// Bytes of the arena that it needs.
  [[nodiscard]] size_t arena_bytes() const { return arena_bytes_; }
  /// From here on tensors live in `arena` (64-byte aligned, `arena_bytes()` bytes).
  void place(std::byte* arena);

  /// Blocks in the order in which their gradients become final.
  [[nodiscard]] std::span<const size_t> blocks() const { return blocks_; }
  /// Runs the operations up to and including the one that makes `blocks()[i]` final, from where the previous call
  /// ended.
  void run_to_block(size_t i, const pass& p) const;
  /// Runs all operations.
  void run(const pass& p) const;

  /// What the operations are called, in order; for profiles.
  [[nodiscard]] std::span<const std::string_view> names() const { return names_; }
  /// Runs operation `i` alone.
  void run_operation(size_t i, const pass& p) const { operations_[i](p); }

private:
  friend class plan_builder;
  struct slot {
    size_t bytes = 0;
    size_t first = 0; ///< operations that use it
    size_t last = 0;
    size_t offset = 0;
    std::vector<dnn::memory> views;
  };
  void assign_offsets();

  std::vector<work> operations_;
  std::vector<std::string_view> names_;
  std::vector<slot> slots_;
  std::vector<dnn::memory> images_; ///< views of the micro-batch's images
  std::vector<size_t> blocks_;
  std::vector<size_t> block_ends_; ///< operations done when the block of the same position is final
  size_t arena_bytes_ = 0;
};

/// Where a layer's operations write the gradient of a parameter: into the flat buffer directly where the layouts agree,
/// else into a tensor that `finish` copies to the flat buffer.
class gradient_target {
public:
  gradient_target(tensor staging, dnn::memory plain, dnn::operation copy, size_t offset)
    : staging_(std::move(staging)), plain_(std::move(plain)), copy_(std::move(copy)), offset_(offset) {}

  /// The argument of the operation that computes the gradient.
  [[nodiscard]] const dnn::memory& memory() const { return staging_ ? staging_.memory() : plain_; }
  [[nodiscard]] const tensor& staging() const { return staging_; }
  void start(const pass& p) const { plain_.set_data_handle(p.gradient + offset_); }
  void finish() const {
    if (staging_)
      copy_.run();
  }

private:
  tensor staging_;
  dnn::memory plain_;
  dnn::operation copy_;
  size_t offset_;
};

/// Collects the operations of a plan. Layers use it through `emission_site`.
class plan_builder {
public:
  struct config {
    const model& of;
    int samples = 0;
    bool training = false;
    prepared_weights& weights;
  };
  explicit plan_builder(config c);

  [[nodiscard]] int samples() const { return config_.samples; }
  [[nodiscard]] bool training() const { return config_.training; }
  [[nodiscard]] const learn::layout& layout() const { return config_.of.layout(); }
  /// Element type of activations and of products' operands.
  [[nodiscard]] dnn::data_type type() const;
  /// (n, c, h, w) in the given order of dimensions, or in the one that suits most primitives.
  [[nodiscard]] dnn::desc image(sample_shape shape, dnn::tag order) const;
  [[nodiscard]] dnn::desc image(sample_shape shape) const { return image(shape, usual_order()); }
  [[nodiscard]] dnn::tag usual_order() const;
  /// (n, c·h·w), row-major.
  [[nodiscard]] dnn::desc rows(sample_shape shape, dnn::data_type type) const;

  /// The micro-batch's images: (n, c, h, w) f32, row-major, read in place.
  tensor images();
  tensor make(const dnn::desc& d);
  /// The same storage under another description of the same size.
  tensor view(const tensor& of, const dnn::desc& d);
  /// `from` itself where it is described like `to`, else a converted copy. Between images and rows, features are in
  /// (channel, height, width) order, as PyTorch's Flatten has them.
  tensor convert(const tensor& from, const dnn::desc& to);
  /// `from` as an image, converted only where it is not in one of the two orders that layers exchange.
  tensor as_image(const tensor& from, sample_shape shape);

  /// Parameter `slice` as dims `view_dims`, in the layout `wanted`; the operation that uses it calls `refresh` first.
  std::shared_ptr<prepared_weight> weight(size_t slice, const dnn::desc& wanted);
  /// Where the gradient of `slice` goes when it is computed in the layout `computed`.
  gradient_target gradient(size_t slice, const dnn::desc& computed);

  /// Appends an operation. `touched` are all tensors it reads or writes; `final` the slices whose gradient it
  /// completes.
  void emit(std::string_view name, const std::vector<tensor>& touched, work what,
            const std::vector<size_t>& final = {});

  [[nodiscard]] plan finish();

private:
  config config_;
  plan plan_;
  std::vector<size_t> slices_left_; ///< per block
};

} // namespace troupe::learn
