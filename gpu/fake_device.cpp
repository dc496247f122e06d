#include "gpu/fake_device.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "gpu/buffer.hpp"

namespace troupe::gpu {
namespace detail {

using std::chrono::nanoseconds;

/// Memory of the device while it lasts: it counts against the limit until the last of its owner and its stream let go.
struct fake_block {
  fake_block(std::shared_ptr<fake_engine> e, size_t bytes, bool pinned);
  fake_block(const fake_block&) = delete;
  fake_block& operator=(const fake_block&) = delete;
  ~fake_block();

  std::shared_ptr<fake_engine> engine;
  buffer memory;
  bool pinned;
};

struct fake_point {
  bool passed = false;
  nanoseconds at{0};
};

/// One thing in a stream. What has no cost happens as soon as it is its turn.
struct fake_piece {
  nanoseconds since{0}; ///< when it was enqueued
  nanoseconds cost{0};
  std::function<void()> work;
  std::shared_ptr<fake_point> pass = {};
  std::shared_ptr<fake_point> wait = {};
  std::optional<fake_fault> fault = {};
};

struct fake_lane {
  std::deque<fake_piece> pieces;
  nanoseconds free_at{0};
  bool open = true;
};

class fake_engine : public std::enable_shared_from_this<fake_engine> {
public:
  explicit fake_engine(fake_options o) : options(std::move(o)), began_(std::chrono::steady_clock::now()) {}

  void start() {
    if (options.time == fake_options::clock::real)
      thread_ = std::thread([self = shared_from_this()] { self->run(); });
  }

  /// Nothing runs any more; what is pending is dropped.
  void stop() {
    std::vector<std::shared_ptr<fake_lane>> dropped;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      dropped.swap(lanes_);
    }
    changed_.notify_all();
    if (!thread_.joinable())
      return;
    if (thread_.get_id() == std::this_thread::get_id())
      thread_.detach(); // a callback let go of the device: the thread is about to end by itself
    else
      thread_.join();
  }

  [[nodiscard]] nanoseconds now() const {
    return options.time == fake_options::clock::real ? std::chrono::steady_clock::now() - began_ : virtual_now_;
  }

  std::shared_ptr<fake_lane> open_lane() {
    const std::lock_guard lock(mutex_);
    return lanes_.emplace_back(std::make_shared<fake_lane>());
  }

  void close_lane(const std::shared_ptr<fake_lane>& lane) {
    const std::lock_guard lock(mutex_);
    lane->open = false;
    forget_if_done(lane);
  }

  device_result<void> push(const std::shared_ptr<fake_lane>& lane, fake_piece piece, bool counts = false) {
    {
      const std::lock_guard lock(mutex_);
      if (lost_)
        return tl::unexpected(*lost_);
      if (counts) {
        ++launched_;
        for (const auto fault : {fake_fault::illegal_access, fake_fault::ecc_error, fake_fault::hang})
          if (due(fault))
            piece.fault = fault;
      }
      piece.since = now();
      lane->pieces.push_back(std::move(piece));
    }
    changed_.notify_all();
    return {};
  }

  [[nodiscard]] nanoseconds cost_of(size_t bytes) const {
    return options.latency +
           nanoseconds(static_cast<int64_t>(static_cast<double>(bytes) / options.bytes_per_second * 1e9));
  }

  device_result<std::shared_ptr<fake_block>> allocate(size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (lost_)
        return tl::unexpected(*lost_);
      if (due(fake_fault::out_of_memory) || options.memory - bytes_ < bytes)
        return tl::unexpected(device_failure{
          fault_kind::out_of_memory, fmt::format("{} cannot allocate {} bytes: {} of {} bytes are free", options.name,
                                                 bytes, options.memory - bytes_, options.memory)});
      bytes_ += bytes;
    }
    return std::make_shared<fake_block>(shared_from_this(), bytes, false);
  }

  std::shared_ptr<fake_block> pin(size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      pinned_ += bytes;
    }
    return std::make_shared<fake_block>(shared_from_this(), bytes, true);
  }

  void gone(size_t bytes, bool pinned) noexcept {
    const std::lock_guard lock(mutex_);
    (pinned ? pinned_ : bytes_) -= bytes;
  }

  device_result<memory_state> memory() const {
    const std::lock_guard lock(mutex_);
    if (lost_)
      return tl::unexpected(*lost_);
    return memory_state{options.memory - bytes_, options.memory};
  }

  device_result<bool> look(const std::function<bool()>& f) const {
    const std::lock_guard lock(mutex_);
    if (lost_)
      return tl::unexpected(*lost_);
    return f();
  }

  void plan(fake_fault what, uint64_t after) {
    const std::lock_guard lock(mutex_);
    plans_[what] = after;
  }

  /// Finishes the first piece that is done at `until` at the latest.
  bool step(nanoseconds until) {
    std::unique_lock lock(mutex_);
    const auto next = first();
    if (!next || next->second > until)
      return false;
    finish(next->first, next->second, lock);
    return true;
  }

  void pass(nanoseconds time) {
    const auto until = virtual_now_ + time;
    while (step(until)) {
    }
    const std::lock_guard lock(mutex_);
    virtual_now_ = until;
  }

  fake_device::counts count() const {
    const std::lock_guard lock(mutex_);
    fake_device::counts c{lanes_.size(), bytes_, pinned_, 0, launched_};
    for (const auto& lane : lanes_)
      c.pending += lane->pieces.size();
    return c;
  }

  const fake_options options;

private:
  using candidate = std::pair<std::shared_ptr<fake_lane>, nanoseconds>;

  /// The lane whose next piece is done first, and when.
  std::optional<candidate> first() const {
    std::optional<candidate> best;
    for (const auto& lane : lanes_) {
      if (lane->pieces.empty())
        continue;
      const auto& piece = lane->pieces.front();
      if (piece.fault == fake_fault::hang || (piece.wait && !piece.wait->passed))
        continue;
      auto from = std::max(lane->free_at, piece.since);
      if (piece.wait)
        from = std::max(from, piece.wait->at);
      if (!best || from + piece.cost < best->second)
        best = {lane, from + piece.cost};
    }
    return best;
  }

  void finish(const std::shared_ptr<fake_lane>& lane, nanoseconds at, std::unique_lock<std::mutex>& lock) {
    std::optional<fake_piece> piece = std::move(lane->pieces.front());
    lane->pieces.pop_front();
    lane->free_at = at;
    virtual_now_ = std::max(virtual_now_, at);
    std::vector<std::deque<fake_piece>> dropped;
    if (piece->fault)
      dropped = lose(*piece->fault);
    else if (piece->pass)
      *piece->pass = {true, at};
    lock.unlock(); // pieces own memory of the device, which asks for the lock as it goes
    if (!piece->fault && piece->work)
      piece->work();
    piece.reset();
    dropped.clear();
    lock.lock();
    forget_if_done(lane);
  }

  std::vector<std::deque<fake_piece>> lose(fake_fault what) {
    lost_ = device_failure{fault_kind::device_lost,
                           fmt::format("{} is lost: {}", options.name,
                                       what == fake_fault::ecc_error ? "an uncorrectable ECC error encountered"
                                                                     : "an illegal memory access was encountered")};
    std::vector<std::deque<fake_piece>> dropped;
    for (const auto& lane : lanes_)
      dropped.emplace_back().swap(lane->pieces);
    std::erase_if(lanes_, [](const auto& lane) { return !lane->open; });
    return dropped;
  }

  void forget_if_done(const std::shared_ptr<fake_lane>& lane) {
    if (!lane->open && lane->pieces.empty())
      std::erase(lanes_, lane);
  }

  bool due(fake_fault what) {
    const auto found = plans_.find(what);
    if (found == plans_.end() || found->second-- > 0)
      return false;
    plans_.erase(found);
    return true;
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const auto next = first();
      if (!next)
        changed_.wait(lock);
      else if (next->second > now())
        changed_.wait_until(lock, began_ + next->second);
      else
        finish(next->first, next->second, lock);
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<fake_lane>> lanes_;
  std::map<fake_fault, uint64_t> plans_;
  std::optional<device_failure> lost_;
  nanoseconds virtual_now_{0};
  std::chrono::steady_clock::time_point began_;
  size_t bytes_ = 0;
  size_t pinned_ = 0;
  uint64_t launched_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

fake_block::fake_block(std::shared_ptr<fake_engine> e, size_t bytes, bool is_pinned)
  : engine(std::move(e)), memory(bytes), pinned(is_pinned) {}

fake_block::~fake_block() {
  engine->gone(memory.size(), pinned);
}

namespace {

class fake_event final : public device_event {
public:
  explicit fake_event(std::shared_ptr<fake_engine> engine) : engine_(std::move(engine)) {}
  [[nodiscard]] device_result<bool> passed() const override {
    return engine_->look([this] { return point->passed; });
  }

  std::shared_ptr<fake_point> point = std::make_shared<fake_point>();

private:
  std::shared_ptr<fake_engine> engine_;
};

class fake_stream final : public device_stream {
public:
  explicit fake_stream(std::shared_ptr<fake_engine> engine) : engine_(std::move(engine)), lane_(engine_->open_lane()) {}
  ~fake_stream() override { engine_->close_lane(lane_); }

  device_result<void> launch(const kernel_call& kernel) override {
    return engine_->push(lane_, {.cost = engine_->cost_of(kernel.bytes), .work = kernel.on_host}, true);
  }
  device_result<void> copy(void* to, const void* from, size_t bytes) override {
    return engine_->push(lane_, {.cost = engine_->cost_of(2 * bytes), .work = [=] { std::memcpy(to, from, bytes); }},
                         true);
  }
  device_result<void> call_back(std::function<void()> f) override {
    return engine_->push(lane_, {.work = std::move(f)});
  }
  [[nodiscard]] device_result<std::shared_ptr<device_event>> record() override {
    auto e = std::make_shared<fake_event>(engine_);
    return engine_->push(lane_, {.pass = e->point}).map([&]() -> std::shared_ptr<device_event> { return e; });
  }
  device_result<void> wait(const device_event& e) override {
    return engine_->push(lane_, {.wait = static_cast<const fake_event&>(e).point});
  }
  [[nodiscard]] device_result<bool> idle() const override {
    return engine_->look([this] { return lane_->pieces.empty(); });
  }

protected:
  [[nodiscard]] device_result<void*> allocate_bytes(size_t bytes) override {
    return engine_->allocate(bytes).map([this](std::shared_ptr<fake_block> block) -> void* {
      auto* data = block->memory.data();
      blocks_.emplace(data, std::move(block));
      return data;
    });
  }
  void free_bytes(void* data) noexcept override {
    auto owned = blocks_.extract(data);
    // Once the device is lost, the piece is dropped, and the memory goes with it.
    (void)engine_->push(lane_, {.work = [block = std::move(owned.mapped())] {}});
  }

private:
  std::shared_ptr<fake_engine> engine_;
  std::shared_ptr<fake_lane> lane_;
  std::map<void*, std::shared_ptr<fake_block>> blocks_;
};

} // namespace
} // namespace detail

fake_device::fake_device(fake_options options) : engine_(std::make_shared<detail::fake_engine>(std::move(options))) {
  engine_->start();
}

fake_device::~fake_device() {
  engine_->stop();
}

std::string fake_device::name() const {
  return engine_->options.name;
}

device_result<memory_state> fake_device::memory() const {
  return engine_->memory();
}

device_result<std::shared_ptr<device_stream>> fake_device::open_stream(stream_priority) {
  return engine_->memory().map([this](const memory_state&) -> std::shared_ptr<device_stream> {
    return std::make_shared<detail::fake_stream>(engine_);
  });
}

void fake_device::plan(fake_fault what, uint64_t after) {
  engine_->plan(what, after);
}

bool fake_device::step() {
  return engine_->step(std::chrono::nanoseconds::max());
}

void fake_device::pass(std::chrono::nanoseconds time) {
  engine_->pass(time);
}

std::chrono::nanoseconds fake_device::now() const {
  return engine_->now();
}

fake_device::counts fake_device::count() const {
  return engine_->count();
}

device_result<std::shared_ptr<void>> fake_device::pin(size_t bytes) {
  auto block = engine_->pin(bytes);
  return std::shared_ptr<void>(block, block->memory.data());
}

} // namespace troupe::gpu
