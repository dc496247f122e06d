#include "messages/shared_mapping.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "messages/memory.hpp"

namespace troupe {
namespace {

constexpr size_t max_data = size_t{1} << 40;

struct segment {
  int fd = -1;
  size_t bytes = 0;

  segment() = default;
  segment(segment&& other) noexcept : fd(std::exchange(other.fd, -1)), bytes(other.bytes) {}
  segment& operator=(segment&&) = delete;
  ~segment() {
    if (fd >= 0)
      ::close(fd);
  }
};

// A path says what it leads to before it is opened: opening something else might block, or do something.
expected<segment> open_segment(uint32_t pid, uint32_t fd, const char* name, int how) {
  auto path = fmt::format("/proc/{}/fd/{}", pid, fd);
  auto target = std::array<char, 64>{};
  auto n = ::readlink(path.c_str(), target.data(), target.size() - 1);
  if (n < 0)
    return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (!std::string_view{target.data()}.starts_with(fmt::format("/memfd:{}", name)))
    return fail(fmt::format("{} is no memory that troupe shares", path));
  auto result = segment{};
  result.fd = ::open(path.c_str(), how | O_CLOEXEC);
  struct stat info {};
  if (result.fd < 0 || ::fstat(result.fd, &info) != 0)
    return fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  result.bytes = static_cast<size_t>(info.st_size);
  auto seals = ::fcntl(result.fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
    return fail(fmt::format("{} is not sealed: it could be cut short while it is read", path));
  return result;
}

} // namespace

shared_mapping::shared_mapping(const process_place& from, process_id self)
  : owner_(from.process), self_(self), watch_(from.process) {
  // nop
}

shared_mapping::~shared_mapping() {
  if (subscribed_)
    for (auto& r : control_->readers)
      if (r.pid == self_.pid && r.started == self_.started) {
        r.started = 0;
        r.pid = 0;
      }
  if (data_ != nullptr)
    ::munmap(const_cast<std::byte*>(data_), bytes_);
  if (control_ != nullptr)
    ::munmap(control_, sizeof(shared_control));
}

expected<std::shared_ptr<shared_mapping>> shared_mapping::open(const process_place& from, const process_place& self) {
  if (from.boot != self.boot)
    return fail("it is another host");
  if (from.pids != self.pids)
    return fail("it is in another container of this host (the pid namespaces differ)");
  if (from.user != self.user)
    return fail(fmt::format("it runs as user {}, this as user {}", from.user, self.user));
  auto result = std::shared_ptr<shared_mapping>(new shared_mapping(from, self.process));
  if (auto mapped = result->map(from); !mapped)
    return tl::unexpected(mapped.error());
  if (auto done = result->subscribe(); !done)
    return tl::unexpected(done.error());
  return result;
}

expected<void> shared_mapping::map(const process_place& from) {
  auto control = open_segment(owner_.pid, from.control, "troupe-control", O_RDWR);
  if (!control)
    return tl::unexpected(control.error());
  auto data = open_segment(owner_.pid, from.data, "troupe-data", O_RDONLY);
  if (!data)
    return tl::unexpected(data.error());
  if (control->bytes != sizeof(shared_control) || data->bytes <= shared_control::data_begin || data->bytes > max_data)
    return fail(fmt::format("what process {} shares is of another size than it should be", owner_.pid));
  auto* c = ::mmap(nullptr, control->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, control->fd, 0);
  if (c == MAP_FAILED)
    return fail(fmt::format("cannot map what process {} shares: {}", owner_.pid, std::strerror(errno)));
  control_ = static_cast<shared_control*>(c);
  auto* d = ::mmap(nullptr, data->bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, data->fd, 0);
  if (d == MAP_FAILED)
    return fail(fmt::format("cannot map what process {} shares: {}", owner_.pid, std::strerror(errno)));
  data_ = static_cast<const std::byte*>(d);
  bytes_ = data->bytes;
  ::madvise(d, bytes_, MADV_HUGEPAGE); // a wish
  auto first = uint64_t{0};
  std::memcpy(&first, data_, sizeof(first));
  // The last condition: that these were its files all the time, not those of a process that was given its number.
  if (first != shared_control::right_magic || control_->magic != shared_control::right_magic ||
      control_->started != owner_.started || control_->bytes != bytes_ || watch_.ended())
    return fail(fmt::format("what is found at process {} is not what it shares: has it ended?", owner_.pid));
  return {};
}

// In place of nobody, or of a process that has ended.
expected<void> shared_mapping::subscribe() {
  for (auto& r : control_->readers) {
    auto there = r.pid.load();
    if (there != 0 && !process_watch{{there, r.started}}.ended())
      continue;
    if (!r.pid.compare_exchange_strong(there, self_.pid))
      continue;
    r.started = self_.started;
    subscribed_ = true;
    return {};
  }
  return fail(fmt::format("process {} shares with {} others already", owner_.pid, shared_control::max_readers));
}

expected<std::shared_ptr<const std::byte>> shared_mapping::claim(const shared_loan& loan, size_t bytes) {
  if (loan.reader != self_)
    return fail(fmt::format("process {} has lent this to process {}, not to this one", owner_.pid, loan.reader.pid));
  auto begin = shared_control::data_begin;
  if (loan.offset < begin || loan.offset > bytes_ || bytes > bytes_ - loan.offset)
    return fail(fmt::format("{} bytes at {} are not within the {} bytes that process {} shares", bytes, loan.offset,
                            bytes_, owner_.pid));
  if (loan.offset % tensor_alignment != 0)
    return fail(fmt::format("a tensor at {} in what process {} shares is not aligned", loan.offset, owner_.pid));
  if (loan.slot >= shared_control::max_loans || loan.token == 0 || loan.token >> 63 != 0)
    return fail(fmt::format("process {} cannot have made the loan {} of {}", owner_.pid, loan.slot, loan.token));
  auto& slot = control_->slots[loan.slot];
  auto lent = shared_control::lent(loan.token);
  if (!slot.compare_exchange_strong(lent, shared_control::held(loan.token)))
    return fail(fmt::format("process {} has not made the loan {} of {}, or has taken it back", owner_.pid, loan.slot,
                            loan.token));
  return std::shared_ptr<const std::byte>{data_ + loan.offset,
                                          [mapping = shared_from_this(), &slot, token = loan.token](const std::byte*) {
                                            auto held = shared_control::held(token);
                                            slot.compare_exchange_strong(held, 0, std::memory_order_release);
                                          }};
}

} // namespace troupe
