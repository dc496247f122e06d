// A job file, as the command reads it, up to the checks of what the job is.

#include <array>

#include "actors/data_parallel.hpp"
#include "apps/troupe/options.hpp"
#include "tests/fuzz/target.hpp"

namespace troupe::fuzz {

void read(std::span<const std::byte> input) {
  const auto file = file_of{input};
  const auto path = file.path();
  const auto arguments = std::array{"train", "--job", path.c_str()};
  const auto request = command::parse(arguments);
  if (request)
    if (const auto* train = std::get_if<command::train>(&*request))
      (void)resolve(train->job);
}

std::vector<bytes> seeds() {
  return {bytes_of("model = \"lenet\"\nagents = 2\nlr = 0.1\nsync = \"tree\"\nfan-in = 2\n"),
          bytes_of("switch = [\"20:sync=ring\"]\nstaleness = \"async\"\nfault = \"agent/0@step=3:kill\"\n"),
          bytes_of("combine = \"krum:1/2\"\ncompress = \"topk:0.1\"\nnodes = [\"a:1\", \"b:2\"]\n")};
}

} // namespace troupe::fuzz
