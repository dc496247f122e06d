#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace troupe::fuzz {

using bytes = std::vector<std::byte>;

/// What a fuzz target is: it reads foreign bytes, which may be refused but do no harm, and gives a few that are well
/// formed for libFuzzer to begin with. `seeds` is called once, and first.
void read(std::span<const std::byte> input);
std::vector<bytes> seeds();

inline bytes bytes_of(const std::string& text) {
  auto all = std::as_bytes(std::span{text});
  return {all.begin(), all.end()};
}

/// The bytes of a file in memory, with a path under which it can be opened. One at a time.
class file_of {
public:
  explicit file_of(std::span<const std::byte> content);
  ~file_of();
  file_of(const file_of&) = delete;
  file_of& operator=(const file_of&) = delete;

  [[nodiscard]] std::string path() const;

private:
  int descriptor_;
};

/// Ends the process, which libFuzzer reports with the input: what must hold does not.
[[noreturn]] void broken(const std::string& what);

} // namespace troupe::fuzz
