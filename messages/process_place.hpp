#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace troupe {

/// A process of this host, from its start to its end: its number alone is given again.
struct process_id {
  uint32_t pid = 0;     ///< 0: none
  uint64_t started = 0; ///< in clock ticks since the host has booted

  auto operator<=>(const process_id&) const = default;
};

/// Where a process lives, and where others of its host find the memory that it shares with them (`shared_pool`).
struct process_place {
  process_id process; ///< none: it shares nothing
  std::string boot;   ///< the host, since it has booted
  std::string pids;   ///< the namespace in which `process.pid` counts
  uint32_t user = 0;
  uint32_t control = 0; ///< file descriptors in that process
  uint32_t data = 0;

  bool operator==(const process_place&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, process_place& x) {
    return f.object(x).fields(f.field("pid", x.process.pid), f.field("started", x.process.started),
                              f.field("boot", x.boot), f.field("pids", x.pids), f.field("user", x.user),
                              f.field("control", x.control), f.field("data", x.data));
  }
};

/// This process, with nothing shared yet.
process_place this_process_place();

/// When the process that has this number now was started; 0: there is none.
uint64_t start_of_process(uint32_t pid);

/// Tells whether a process has ended. Move-only.
class process_watch {
public:
  /// Watches nothing if the process has ended, or where the kernel cannot watch: see `watching`.
  explicit process_watch(process_id who);
  process_watch(process_watch&& other) noexcept;
  process_watch& operator=(process_watch&& other) noexcept;
  ~process_watch();

  [[nodiscard]] bool watching() const { return fd_ >= 0; }
  /// True also where nothing is watched.
  [[nodiscard]] bool ended() const;

private:
  int fd_ = -1;
};

} // namespace troupe
