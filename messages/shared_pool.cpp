#include "messages/shared_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <iterator>
#include <new>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace troupe {
namespace {

constexpr size_t page = 4096;
constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

size_t rounded(size_t bytes) {
  return std::max(page, (bytes + page - 1) / page * page);
}

// A sealed file of so many bytes, mapped; the descriptor stays open for readers.
expected<std::pair<int, void*>> make_segment(const char* name, size_t bytes) {
  auto refuse = [](const char* what) {
    return fail(fmt::format("this host has no memory to share between processes: {} ({})", what, std::strerror(errno)));
  };
  auto fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return refuse("cannot create a file for it");
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0 || ::fcntl(fd, F_ADD_SEALS, seals) != 0) {
    auto result = refuse("cannot give it its size");
    ::close(fd);
    return result;
  }
  auto* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) {
    auto result = refuse("cannot map it");
    ::close(fd);
    return result;
  }
  return std::pair{fd, p};
}

} // namespace

expected<std::shared_ptr<shared_pool>> shared_pool::open(options o) {
  o.bytes = rounded(o.bytes);
  o.loans = std::min<uint32_t>(o.loans, shared_control::max_loans);
  auto control = make_segment("troupe-control", sizeof(shared_control));
  if (!control)
    return tl::unexpected(control.error());
  auto data = make_segment("troupe-data", shared_control::data_begin + o.bytes);
  if (!data) {
    ::munmap(control->second, sizeof(shared_control));
    ::close(control->first);
    return tl::unexpected(data.error());
  }
  auto place = this_process_place();
  place.control = static_cast<uint32_t>(control->first);
  place.data = static_cast<uint32_t>(data->first);
  return std::shared_ptr<shared_pool>(new shared_pool(std::move(o), std::move(place), control->second, data->second));
}

shared_pool::shared_pool(options o, process_place place, void* control, void* data)
  : options_(std::move(o)), place_(std::move(place)), control_(new (control) shared_control{}),
    data_(static_cast<std::byte*>(data)) {
  ::madvise(data_, shared_control::data_begin + options_.bytes, MADV_HUGEPAGE); // a wish
  control_->magic = shared_control::right_magic;
  control_->started = place_.process.started;
  control_->bytes = shared_control::data_begin + options_.bytes;
  std::memcpy(data_, &shared_control::right_magic, sizeof(uint64_t));
  free_.emplace(shared_control::data_begin, options_.bytes);
  for (auto slot = options_.loans; slot-- > 0;)
    free_slots_.push_back(slot);
}

// Blocks keep the pool alive, and readers what they have mapped.
shared_pool::~shared_pool() {
  ::munmap(data_, shared_control::data_begin + options_.bytes);
  ::munmap(control_, sizeof(shared_control));
  ::close(static_cast<int>(place_.data));
  ::close(static_cast<int>(place_.control));
}

// -- memory -----------------------------------------------------------------------------------------------------------

bool shared_pool::contains(const std::byte* p) const {
  return p >= data_ + shared_control::data_begin && p < data_ + shared_control::data_begin + options_.bytes;
}

std::shared_ptr<std::byte> shared_pool::acquire(size_t bytes) {
  auto size = rounded(bytes);
  auto back = returned{};
  auto offset = std::optional<size_t>{};
  {
    auto guard = std::lock_guard{mutex_};
    collect_returned(back);
    offset = take(size);
    if (!offset)
      collect_lost(back);
  }
  if (!offset) { // what was collected comes back as it is released
    back.clear();
    auto guard = std::lock_guard{mutex_};
    offset = take(size);
    if (!offset)
      ++refused_;
  }
  if (!offset)
    return nullptr;
  return {data_ + *offset, [pool = shared_from_this(), at = *offset, size](std::byte*) { pool->give(at, size); }};
}

// The lowest that is large enough: pages that have been touched before are used again.
std::optional<size_t> shared_pool::take(size_t bytes) {
  auto i = std::find_if(free_.begin(), free_.end(), [&](auto& x) { return x.second >= bytes; });
  if (i == free_.end())
    return std::nullopt;
  auto [offset, size] = *i;
  free_.erase(i);
  if (size > bytes)
    free_.emplace(offset + bytes, size - bytes);
  taken_ += bytes;
  return offset;
}

void shared_pool::give(size_t offset, size_t bytes) {
  auto guard = std::lock_guard{mutex_};
  taken_ -= bytes;
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + bytes == next->first) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin())
    if (auto before = std::prev(next); before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  free_.emplace(offset, bytes);
}

// -- loans ------------------------------------------------------------------------------------------------------------

// Readers clear up behind readers that have ended.
bool shared_pool::is_read_by(process_id who) const {
  return std::any_of(control_->readers.begin(), control_->readers.end(),
                     [&](auto& r) { return r.pid == who.pid && r.started == who.started; });
}

std::optional<shared_loan> shared_pool::lend(std::shared_ptr<const void> memory, const std::byte* at, process_id to) {
  if (!is_read_by(to))
    return std::nullopt;
  auto back = returned{};
  auto guard = std::unique_lock{mutex_};
  collect_returned(back);
  auto known = readers_.find(to);
  if (known == readers_.end())
    known = readers_.emplace(to, process_watch{to}).first;
  if (free_slots_.empty())
    collect_lost(back);
  if (closed_ || !known->second.watching() ||
      free_slots_.empty()) { // of a reader whose end goes unseen nothing would come back
    ++refused_;
    guard.unlock();
    return std::nullopt;
  }
  auto loan = shared_loan{place_.process, to, free_slots_.back(), ++last_token_, static_cast<uint64_t>(at - data_)};
  free_slots_.pop_back();
  out_.push_back({loan.slot, loan.token, to, options_.now(), std::move(memory)});
  control_->slots[loan.slot].store(shared_control::lent(loan.token), std::memory_order_release);
  guard.unlock();
  return loan;
}

void shared_pool::close() {
  auto back = std::deque<out>{}; // released outside of the lock
  auto guard = std::lock_guard{mutex_};
  closed_ = true;
  back.swap(out_);
  for (auto& x : back) {
    control_->slots[x.slot] = 0;
    free_slots_.push_back(x.slot);
  }
}

void shared_pool::collect_returned(returned& back) {
  std::erase_if(out_, [&](out& x) {
    if (control_->slots[x.slot].load(std::memory_order_acquire) != 0)
      return false;
    free_slots_.push_back(x.slot);
    back.push_back(std::move(x.memory));
    return true;
  });
}

void shared_pool::collect_lost(returned& back) {
  auto gone = std::vector<process_id>{};
  for (auto& [who, watch] : readers_)
    if (watch.ended())
      gone.push_back(who);
  auto is_gone_now = [&](process_id who) { return std::find(gone.begin(), gone.end(), who) != gone.end(); };
  for (auto& x : out_)
    if (is_gone_now(x.to)) {
      control_->slots[x.slot] = 0;
    } else if (options_.now() - x.since > options_.claim_limit) {
      auto unclaimed = shared_control::lent(x.token);
      control_->slots[x.slot].compare_exchange_strong(unclaimed, 0);
    }
  for (auto& who : gone)
    readers_.erase(who);
  collect_returned(back);
}

void shared_pool::reclaim() {
  auto back = returned{};
  auto guard = std::lock_guard{mutex_};
  collect_lost(back);
}

shared_pool::usage shared_pool::used() const {
  auto guard = std::lock_guard{mutex_};
  return {taken_, out_.size(), refused_};
}

} // namespace troupe
