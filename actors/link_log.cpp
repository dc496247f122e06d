#include "actors/link_log.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <utility>

namespace troupe {

link_log::link_log(std::function<void(const std::string&)> to) : to_(std::move(to)) {
  if (!to_)
    to_ = [](const std::string& line) { fmt::print(stderr, "troupe: {}\n", line); };
}

link_log::~link_log() {
  if (untold_ > 0)
    to_(fmt::format("refused {} connections more", untold_));
}

void link_log::refused(const std::string& from, const std::string& why, time_point now) {
  auto guard = std::lock_guard{mutex_};
  if (lines_ == 0 || now - since_ >= span) {
    since_ = now;
    lines_ = 0;
  }
  if (lines_ == most_lines) {
    ++untold_;
    return;
  }
  ++lines_;
  auto more = untold_ == 0 ? std::string{} : fmt::format(" ({} more were refused before)", untold_);
  untold_ = 0;
  to_(fmt::format("refused the connection from {}: {}{}", from, why, more));
}

} // namespace troupe
