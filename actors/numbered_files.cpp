#include "actors/numbered_files.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <string>
#include <system_error>

namespace troupe {

namespace fs = std::filesystem;

fs::path numbered_file(const fs::path& folder, std::string_view prefix, uint64_t number) {
  return folder / fmt::format("{}{:09}", prefix, number);
}

std::vector<uint64_t> find_numbered_files(const fs::path& folder, std::string_view prefix) {
  auto result = std::vector<uint64_t>{};
  auto unreadable = std::error_code{};
  for (fs::directory_iterator at{folder, unreadable}, end; !unreadable && at != end; at.increment(unreadable)) {
    auto name = at->path().filename().string();
    auto number = uint64_t{0};
    if (name.starts_with(prefix) &&
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number).ec == std::errc{})
      result.push_back(number);
  }
  std::sort(result.begin(), result.end());
  return result;
}

} // namespace troupe
