#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::test {

/// A new folder that goes away with the test.
class scratch_folder {
public:
  scratch_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("cannot make a folder for the test");
    path_ = pattern;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

using bytes = std::vector<uint8_t>;

inline void write_file(const std::filesystem::path& file, std::span<const uint8_t> content) {
  std::ofstream out{file, std::ios::binary | std::ios::trunc};
  out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  if (!out.flush())
    throw std::runtime_error("cannot write " + file.string());
}

inline bytes read_file(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Where the real data lies (TROUPE_DATA, else next to the source tree); empty where there is none.
inline std::filesystem::path real_data(const std::string& name) {
  const char* set = std::getenv("TROUPE_DATA");
  const std::filesystem::path base = set != nullptr ? set : TROUPE_DEFAULT_DATA;
  return std::filesystem::is_directory(base / name) ? base / name : std::filesystem::path{};
}

} // namespace troupe::test
