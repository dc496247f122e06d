#include "gpu/cuda/driver.hpp"

#include <condition_variable>
#include <deque>
#include <fmt/format.h>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#include "gpu/cuda/stream_context.hpp"

namespace troupe::gpu {
namespace cuda {

/// Where callbacks of streams run. CUDA's own thread for them must not call CUDA, and a stream stands still while it is
/// at work; what a callback lets go of may be memory of the device. So that thread only hands over.
class callback_thread : public std::enable_shared_from_this<callback_thread> {
public:
  void start() {
    thread_ = std::thread([self = shared_from_this()] { self->run(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.get_id() == std::this_thread::get_id())
      thread_.detach(); // a callback let go of the last of the device: the thread is about to end by itself
    else
      thread_.join();
  }

  void push(std::function<void()> f) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(f));
    }
    changed_.notify_one();
  }

private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty())
        return;
      auto f = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      f();
      f = nullptr; // without the lock: it may own the last of the device
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

device_result<std::shared_ptr<device_context>> device_context::open(int index) {
  auto context = std::make_shared<device_context>();
  context->index = index;
  int multiprocessors = 0;
  int pools = 0;
  const auto opened =
    context->enter()
      .and_then([&] {
        return check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, index),
                     "ask a device for its multiprocessors");
      })
      .and_then([&] {
        return check(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, index),
                     "ask a device for memory pools");
      })
      .and_then([&]() -> device_result<void> {
        if (pools == 0)
          return tl::unexpected(device_failure{
            fault_kind::refused, fmt::format("cuda:{} has no memory in the order of streams: use a newer one", index)});
        cudaMemPoolProps properties = {};
        properties.allocType = cudaMemAllocationTypePinned;
        properties.location = {.type = cudaMemLocationTypeDevice, .id = index};
        return check(cudaMemPoolCreate(&context->pool, &properties), "make a pool of memory");
      })
      .and_then([&] {
        auto keep = std::numeric_limits<uint64_t>::max();
        return check(cudaMemPoolSetAttribute(context->pool, cudaMemPoolAttrReleaseThreshold, &keep),
                     "have a pool keep its memory");
      })
      .and_then([&] { return check(cublasLtCreate(&context->blas), "open cuBLAS"); });
  if (!opened)
    return tl::unexpected(opened.error());
  context->multiprocessors = static_cast<unsigned>(multiprocessors);
  context->callbacks = std::make_shared<callback_thread>();
  context->callbacks->start();
  return context;
}

device_context::~device_context() {
  // Nothing of this can be told to anybody.
  (void)enter();
  if (callbacks)
    callbacks->stop();
  if (blas)
    (void)cublasLtDestroy(blas);
  if (pool)
    (void)cudaMemPoolDestroy(pool);
}

device_result<void> device_context::enter() const {
  return check(cudaSetDevice(index), "use a device");
}

stream_context::~stream_context() {
  (void)device_->enter();
  if (workspace_)
    (void)cudaFreeAsync(workspace_, stream_);
  if (stream_)
    (void)cudaStreamDestroy(stream_); // waits for nothing: what is enqueued still runs
}

device_result<void> stream_context::open(stream_priority priority) {
  int least = 0;
  int greatest = 0; // lower numbers are higher priorities
  return device_->enter()
    .and_then([&] { return check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "ask for priorities"); })
    .and_then([&] {
      return check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                                priority == stream_priority::high ? greatest : least),
                   "open a stream");
    });
}

device_result<void*> stream_context::allocate(size_t bytes) {
  void* data = nullptr;
  return check(cudaMallocFromPoolAsync(&data, bytes, device_->pool, stream_), fmt::format("allocate {} bytes", bytes))
    .map([&] { return data; });
}

namespace {

class cuda_event final : public device_event {
public:
  explicit cuda_event(std::shared_ptr<device_context> device) : device_(std::move(device)) {}
  ~cuda_event() override {
    (void)device_->enter();
    if (event)
      (void)cudaEventDestroy(event);
  }

  [[nodiscard]] device_result<bool> passed() const override {
    return device_->enter().and_then([this]() -> device_result<bool> {
      const auto status = cudaEventQuery(event);
      if (status == cudaErrorNotReady)
        return false;
      return check(status, "ask for an event").map([] { return true; });
    });
  }

  cudaEvent_t event = nullptr;

private:
  std::shared_ptr<device_context> device_;
};

/// A callback on its way. It keeps the device, which keeps the thread that it will run on.
struct pending_callback {
  std::shared_ptr<device_context> device;
  std::function<void()> f;
};

void CUDART_CB hand_over(void* data) {
  std::shared_ptr<pending_callback> callback(static_cast<pending_callback*>(data));
  const auto thread = callback->device->callbacks; // which may be done with the callback before `push` returns
  thread->push([callback = std::move(callback)] { callback->f(); });
}

class cuda_stream final : public device_stream {
public:
  explicit cuda_stream(std::shared_ptr<device_context> device) : context_(std::move(device)) {}

  device_result<void> open(stream_priority priority) { return context_.open(priority); }

  device_result<void> launch(const kernel_call& kernel) override {
    if (!kernel.on_cuda)
      return tl::unexpected(
        device_failure{fault_kind::refused, fmt::format("cannot launch {}: it was made without CUDA", kernel.name)});
    return enter().and_then([&] {
      (void)cudaGetLastError(); // a refusal that an earlier call of this thread has left is not this launch's
      return kernel.on_cuda(context_);
    });
  }

  device_result<void> copy(void* to, const void* from, size_t bytes) override {
    return enter().and_then([&] {
      return check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, context_.stream()),
                   fmt::format("copy {} bytes", bytes));
    });
  }

  device_result<void> call_back(std::function<void()> f) override {
    return enter().and_then([&] {
      auto callback = std::make_unique<pending_callback>(pending_callback{context_.device(), std::move(f)});
      auto enqueued = check(cudaLaunchHostFunc(context_.stream(), hand_over, callback.get()), "enqueue a callback");
      if (enqueued)
        (void)callback.release(); // never called once the device is lost; then the process ends
      return enqueued;
    });
  }

  [[nodiscard]] device_result<std::shared_ptr<device_event>> record() override {
    auto e = std::make_shared<cuda_event>(context_.device());
    return enter()
      .and_then([&] { return check(cudaEventCreateWithFlags(&e->event, cudaEventDisableTiming), "make an event"); })
      .and_then([&] { return check(cudaEventRecord(e->event, context_.stream()), "record an event"); })
      .map([&]() -> std::shared_ptr<device_event> { return e; });
  }

  device_result<void> wait(const device_event& e) override {
    return enter().and_then([&] {
      return check(cudaStreamWaitEvent(context_.stream(), static_cast<const cuda_event&>(e).event),
                   "wait for an event");
    });
  }

  [[nodiscard]] device_result<bool> idle() const override {
    return enter().and_then([this]() -> device_result<bool> {
      const auto status = cudaStreamQuery(context_.stream());
      if (status == cudaErrorNotReady)
        return false;
      return check(status, "ask for a stream").map([] { return true; });
    });
  }

protected:
  [[nodiscard]] device_result<void*> allocate_bytes(size_t bytes) override {
    return enter().and_then([&] { return context_.allocate(bytes); });
  }
  void free_bytes(void* data) noexcept override {
    (void)enter();
    (void)cudaFreeAsync(data, context_.stream()); // what is wrong with the device, its next call says
  }

private:
  [[nodiscard]] device_result<void> enter() const { return context_.device()->enter(); }

  stream_context context_;
};

class cuda_driver final : public driver {
public:
  explicit cuda_driver(std::shared_ptr<device_context> device) : device_(std::move(device)) {}

  [[nodiscard]] std::string name() const override { return fmt::format("cuda:{}", device_->index); }

  [[nodiscard]] device_result<memory_state> memory() const override {
    memory_state m;
    return device_->enter()
      .and_then([&] { return check(cudaMemGetInfo(&m.free, &m.total), "ask for free memory"); })
      .map([&] { return m; });
  }

  [[nodiscard]] device_result<std::shared_ptr<device_stream>> open_stream(stream_priority priority) override {
    auto stream = std::make_shared<cuda_stream>(device_);
    return stream->open(priority).map([&]() -> std::shared_ptr<device_stream> { return stream; });
  }

protected:
  [[nodiscard]] device_result<std::shared_ptr<void>> pin(size_t bytes) override {
    void* data = nullptr;
    return device_->enter()
      .and_then(
        [&] { return check(cudaHostAlloc(&data, bytes, cudaHostAllocPortable), fmt::format("pin {} bytes", bytes)); })
      .map([&] {
        return std::shared_ptr<void>(data, [device = device_](void* p) {
          (void)device->enter();
          (void)cudaFreeHost(p);
        });
      });
  }

private:
  std::shared_ptr<device_context> device_;
};

} // namespace
} // namespace cuda

device_result<int> count_cuda_devices() {
  int count = 0;
  return cuda::check(cudaGetDeviceCount(&count), "look for GPUs").map([&] { return count; });
}

device_result<std::shared_ptr<driver>> open_cuda_device(int index) {
  return cuda::device_context::open(index).map([](std::shared_ptr<cuda::device_context> device) {
    return std::shared_ptr<driver>(std::make_shared<cuda::cuda_driver>(std::move(device)));
  });
}

} // namespace troupe::gpu
