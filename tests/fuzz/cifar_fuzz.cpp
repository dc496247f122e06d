// The first byte says whether the others are the training or the test data.

#include <fstream>

#include "learn/data/cifar.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::fuzz {
namespace {

const auto record = std::string(1, '\x04') + std::string(3072, '\x55');

} // namespace

void read(std::span<const std::byte> input) {
  if (input.empty())
    return;
  static const auto folder = test::temporary_folder{};
  const auto trains = std::to_integer<int>(input.front()) % 2 == 0;
  const auto content = std::string{reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1};
  std::ofstream{folder / "data_batch_1.bin", std::ios::binary} << (trains ? content : record);
  std::ofstream{folder / "test_batch.bin", std::ios::binary} << (trains ? record : content);
  const auto set = learn::open_cifar(folder.path());
  if (!set)
    return;
  auto values = std::vector<float>(set->train->shape().size());
  for (const auto& part : {set->train, set->test})
    for (size_t id = 0; id < part->size(); ++id) {
      part->read(id, values.data());
      if (part->label(id) < 0 || part->label(id) >= part->classes())
        broken("a label out of range has been accepted");
    }
}

std::vector<bytes> seeds() {
  return {bytes_of(std::string(1, '\0') + record + record), bytes_of("\x01" + record)};
}

} // namespace troupe::fuzz
