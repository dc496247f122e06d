#include "supervision/shared_flags.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe {

static_assert(std::atomic<bool>::is_always_lock_free && sizeof(std::atomic<bool>) == 1);

namespace {

// Children start with a few descriptors at places of their own.
constexpr int first_descriptor = 64;

std::shared_ptr<int> closing(int descriptor) {
  return {new int{descriptor}, [](int* d) {
            ::close(*d);
            delete d;
          }};
}

} // namespace

expected<shared_flags> shared_flags::create(size_t count) {
  const int low = ::memfd_create("troupe flags", MFD_CLOEXEC);
  const int descriptor = low < 0 ? -1 : ::fcntl(low, F_DUPFD, first_descriptor);
  const int why = errno;
  if (low >= 0)
    ::close(low);
  if (descriptor < 0)
    return fail(fmt::format("no memory to share with worker processes: {}", std::strerror(why)));
  auto owned = closing(descriptor);
  if (::ftruncate(descriptor, static_cast<off_t>(count)) != 0)
    return fail(fmt::format("no memory to share with worker processes: {}", std::strerror(errno)));
  return map(std::move(owned), count);
}

expected<shared_flags> shared_flags::inherit(int descriptor, size_t count) {
  struct stat found {};
  if (::fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode) || found.st_size < static_cast<off_t>(count))
    return fail(fmt::format("descriptor {} is no memory shared with a parent", descriptor));
  return map(closing(descriptor), count);
}

expected<shared_flags> shared_flags::map(std::shared_ptr<int> descriptor, size_t count) {
  auto* bytes = ::mmap(nullptr, count, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
  if (bytes == MAP_FAILED)
    return fail(fmt::format("memory shared with worker processes cannot be used: {}", std::strerror(errno)));
  // Zeroed bytes are flags that are not set.
  return shared_flags{std::move(descriptor),
                      {static_cast<std::atomic<bool>*>(bytes), [count](std::atomic<bool>* p) { ::munmap(p, count); }}};
}

std::shared_ptr<std::atomic<bool>> shared_flags::at(size_t position) const {
  return {first_, first_.get() + position};
}

} // namespace troupe
