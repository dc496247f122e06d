#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

/// Devices with a memory of their own: what their owners call. Nothing here waits for a device, so nothing here may not
/// be called in a message handler (R9). Two drivers stand behind it: CUDA's (gpu/cuda/driver.hpp) and one that needs no
/// GPU (gpu/fake_device.hpp).
namespace troupe::gpu {

namespace cuda {
class stream_context;
}

/// What helps after a call to a device has failed (T6).
enum class fault_kind : uint8_t {
  refused,       ///< nothing has happened; other calls work as before
  out_of_memory, ///< the caller's to handle: wait until something is freed, or ask for less
  device_lost,   ///< everything on the device is lost to this process for good: only another process helps
};

/// "refused", "out of memory", "device lost".
std::string_view to_string(fault_kind kind);

/// Why a call to a device failed: a sentence without a full stop, and what helps.
struct device_failure {
  fault_kind kind = fault_kind::refused;
  std::string sentence;

  bool operator==(const device_failure&) const = default;
};

template <class T>
using device_result = tl::expected<T, device_failure>;

/// A kernel and its arguments, for either driver. gpu/cuda/device_kernels.hpp makes them.
struct kernel_call {
  std::string_view name; ///< a literal
  size_t bytes = 0;      ///< that it reads and writes; how long it takes on a fake device
  /// The same on memory that the host can read: what a fake device runs, and what tests compare with.
  std::function<void()> on_host;
  /// Enqueues it; null where Troupe was built without CUDA.
  std::function<device_result<void>(cuda::stream_context&)> on_cuda;
};

enum class stream_priority : uint8_t { normal, high };

/// A point in a stream. Goes away at any time.
class device_event {
public:
  device_event() = default;
  device_event(const device_event&) = delete;
  device_event& operator=(const device_event&) = delete;
  virtual ~device_event() = default;

  /// Whether the stream is past it; a failure if it never will be.
  [[nodiscard]] virtual device_result<bool> passed() const = 0;
};

class device_buffer;

/// An ordered lane of work on a device. One owner, from one thread at a time. Each call enqueues and returns. The
/// destructor waits for nothing: what has been enqueued still runs.
class device_stream : public std::enable_shared_from_this<device_stream> {
public:
  device_stream() = default;
  device_stream(const device_stream&) = delete;
  device_stream& operator=(const device_stream&) = delete;
  virtual ~device_stream() = default;

  /// Memory for work that is enqueued from now on. Contents undefined.
  [[nodiscard]] device_result<device_buffer> allocate(size_t bytes);

  virtual device_result<void> launch(const kernel_call& kernel) = 0;
  /// Between memory of the device and pinned memory of the host, either way, or within the device. Both have to stay
  /// until it is done.
  virtual device_result<void> copy(void* to, const void* from, size_t bytes) = 0;
  /// Calls `f` once everything before it is done, on a thread of the driver's, where it may do what it likes but wait.
  /// Not called once the device is lost.
  virtual device_result<void> call_back(std::function<void()> f) = 0;
  /// Marks the point that the stream has been enqueued to.
  [[nodiscard]] virtual device_result<std::shared_ptr<device_event>> record() = 0;
  /// Work that is enqueued from now on starts after `e`, which is of any stream of the same device.
  virtual device_result<void> wait(const device_event& e) = 0;
  /// Whether everything is done; a failure once the device is lost.
  [[nodiscard]] virtual device_result<bool> idle() const = 0;

protected:
  friend class device_buffer;
  [[nodiscard]] virtual device_result<void*> allocate_bytes(size_t bytes) = 0;
  virtual void free_bytes(void* data) noexcept = 0;
};

/// Owner of memory of a device, in the order of the stream that it was allocated on: it is given back once everything
/// enqueued there until then is done. Move-only. Keeps its stream.
class device_buffer {
public:
  device_buffer() = default;
  device_buffer(device_buffer&& other) noexcept { swap(other); }
  device_buffer& operator=(device_buffer&& other) noexcept {
    device_buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~device_buffer() {
    if (data_)
      stream_->free_bytes(data_);
  }

  [[nodiscard]] size_t size() const { return size_; } ///< in bytes
  /// An address on the device: for kernels and copies.
  template <class T = std::byte>
  [[nodiscard]] T* data() const {
    return static_cast<T*>(data_);
  }

private:
  friend class device_stream;
  device_buffer(std::shared_ptr<device_stream> stream, void* data, size_t size)
    : stream_(std::move(stream)), data_(data), size_(size) {}
  void swap(device_buffer& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::shared_ptr<device_stream> stream_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

/// Memory of the host that a device copies from and to by itself. Whoever frees the last reference may have to wait for
/// the device: keep them for as long as the streams that use them.
template <class T>
using pinned_array = std::shared_ptr<T[]>;

struct memory_state {
  size_t free = 0;  ///< bytes
  size_t total = 0; ///< bytes
};

/// A device. Thread-safe. Streams and buffers keep what they need of it.
class driver {
public:
  driver() = default;
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;
  virtual ~driver() = default;

  [[nodiscard]] virtual std::string name() const = 0; ///< "cuda:0"
  [[nodiscard]] virtual device_result<memory_state> memory() const = 0;
  [[nodiscard]] virtual device_result<std::shared_ptr<device_stream>> open_stream(stream_priority priority) = 0;

  /// `n` values, undefined at first. Waits for the device: for an owner's start, not for its handlers.
  template <class T>
  [[nodiscard]] device_result<pinned_array<T>> allocate_pinned(size_t n) {
    return pin(n * sizeof(T)).map([](std::shared_ptr<void> data) {
      auto* first = static_cast<T*>(data.get());
      return pinned_array<T>(std::move(data), first);
    });
  }

protected:
  [[nodiscard]] virtual device_result<std::shared_ptr<void>> pin(size_t bytes) = 0;
};

} // namespace troupe::gpu
