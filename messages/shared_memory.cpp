#include "messages/shared_memory.hpp"

#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "messages/memory.hpp"

namespace troupe {

shared_memory& shared_memory::of_this_process() {
  static auto* instance = new shared_memory;
  return *instance;
}

std::shared_ptr<shared_pool> shared_memory::pool() const {
  auto guard = std::lock_guard{mutex_};
  return pool_;
}

process_place shared_memory::place() {
  auto guard = std::lock_guard{mutex_};
  if (!std::exchange(tried_, true) && !refrains_)
    if (auto opened = shared_pool::open(options_))
      pool_ = std::move(*opened);
  return pool_ ? pool_->place() : process_place{};
}

void shared_memory::refrain() {
  auto guard = std::lock_guard{mutex_};
  refrains_ = true;
  if (pool_)
    pool_->close();
  pool_.reset();
  read_.clear();
}

std::optional<std::string> shared_memory::attach(const process_place& from) {
  auto self = this_process_place();
  if (from.process.pid == 0 || from.boot != self.boot)
    return std::nullopt;
  auto guard = std::lock_guard{mutex_};
  if (refrains_ || read_.contains(from.process))
    return std::nullopt;
  std::erase_if(read_, [](auto& x) { return x.second->owner_ended(); }); // what is held of them stays mapped
  if (auto mapping = shared_mapping::open(from, self))
    read_.emplace(from.process, std::move(*mapping));
  else if (!std::exchange(said_, true))
    return fmt::format("tensors from process {} of this host come through its connection: {}", from.process.pid,
                       mapping.error().sentence);
  return std::nullopt;
}

std::shared_ptr<std::byte> shared_memory::acquire(size_t bytes) {
  if (auto p = pool())
    if (auto memory = p->acquire(bytes))
      return memory;
  return acquire_memory(bytes);
}

std::optional<shared_loan> shared_memory::lend(const std::shared_ptr<const void>& memory, const std::byte* at,
                                               size_t bytes, process_id to) {
  auto p = pool();
  if (!p || !p->is_read_by(to))
    return std::nullopt;
  auto loan = std::optional<shared_loan>{};
  if (p->contains(at)) {
    loan = p->lend(memory, at, to);
  } else if (auto copy = p->acquire(bytes)) {
    std::memcpy(copy.get(), at, bytes);
    auto* begin = copy.get();
    loan = p->lend(std::move(copy), begin, to);
  }
  if (loan) {
    ++lent_;
    lent_bytes_ += bytes;
  } else {
    ++not_lent_;
  }
  return loan;
}

expected<std::shared_ptr<const std::byte>> shared_memory::claim(const shared_loan& loan, size_t bytes) {
  auto mapping = std::shared_ptr<shared_mapping>{};
  {
    auto guard = std::lock_guard{mutex_};
    if (auto i = read_.find(loan.owner); i != read_.end())
      mapping = i->second;
  }
  if (!mapping)
    return fail(fmt::format("a tensor lies in memory of process {}, which this process does not read", loan.owner.pid));
  return mapping->claim(loan, bytes);
}

} // namespace troupe
