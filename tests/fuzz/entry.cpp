// What libFuzzer calls, the same for every target.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/target.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::fuzz {

file_of::file_of(std::span<const std::byte> content) : descriptor_(::memfd_create("fuzz", 0)) {
  for (auto left = content; descriptor_ >= 0 && !left.empty();) {
    auto written = ::write(descriptor_, left.data(), left.size());
    if (written <= 0)
      broken("the file in memory cannot be written");
    left = left.subspan(static_cast<size_t>(written));
  }
  if (descriptor_ < 0)
    broken("there is no file in memory");
}

file_of::~file_of() {
  ::close(descriptor_);
}

std::string file_of::path() const {
  return fmt::format("/proc/self/fd/{}", descriptor_);
}

void broken(const std::string& what) {
  fmt::print(stderr, "{}\n", what);
  std::abort();
}

} // namespace troupe::fuzz

using namespace troupe;

// Seeds go into a folder in front of those that are named: libFuzzer writes what it finds to the first.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  static const auto folder = test::temporary_folder{};
  static auto name = folder.path().string();
  static auto arguments = std::vector<char*>(*argv, *argv + *argc);
  auto number = 0;
  for (auto& seed : fuzz::seeds())
    std::ofstream{folder / std::to_string(number++), std::ios::binary}.write(reinterpret_cast<const char*>(seed.data()),
                                                                             static_cast<std::streamsize>(seed.size()));
  auto single = false; // an input to try again is a file
  for (auto* each : arguments)
    single = single || (each != arguments.front() && std::filesystem::is_regular_file(each));
  if (!single)
    arguments.insert(arguments.begin() + 1, name.data());
  *argc = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  *argv = arguments.data();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::read(std::as_bytes(std::span{data, size}));
  return 0;
}
