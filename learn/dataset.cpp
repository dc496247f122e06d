#include "learn/dataset.hpp"

#include <filesystem>
#include <fmt/core.h>

#include "learn/data/cifar.hpp"
#include "learn/data/digits.hpp"
#include "learn/data/idx.hpp"
#include "learn/data/random_images.hpp"

namespace troupe::learn {

expected<data_source> open_data(const std::string& what, uint64_t seed) {
  if (what == "digits")
    return data_source{what, std::make_shared<digits>(seed, digits::split::train),
                       std::make_shared<digits>(seed, digits::split::test)};
  if (names_random_images(what))
    return open_random_images(what, seed);
  std::error_code ignored; // what cannot be looked at is not there
  if (!std::filesystem::is_directory(what, ignored))
    return fail(fmt::format("there is no data set '{}': use 'digits', which is built in, a folder with IDX files "
                            "(MNIST) or CIFAR-10 binaries, or random:3x224x224:1000 for noise of that shape",
                            what));
  if (holds_idx(what))
    return open_idx(what);
  if (holds_cifar(what))
    return open_cifar(what);
  return fail(fmt::format("there is no data set in {}: it holds neither IDX files (train-images-idx3-ubyte, plain or "
                          ".gz) nor CIFAR-10 binaries (data_batch_1.bin)",
                          what));
}

} // namespace troupe::learn
