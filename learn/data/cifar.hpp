#pragma once

#include <filesystem>

#include "learn/dataset.hpp"

namespace troupe::learn {

/// Whether `folder` holds a data_batch_*.bin or test_batch.bin.
bool holds_cifar(const std::filesystem::path& folder);

/// Opens CIFAR-10 in its binary version (A. Krizhevsky: "The CIFAR-10 dataset"): records of a label byte and 3 × 32 ×
/// 32 bytes, channel planes red, green, blue. Every data_batch_*.bin, in order of their names, is training data and
/// test_batch.bin is test data. Ten classes; the usual mean and deviation per channel.
expected<data_source> open_cifar(const std::filesystem::path& folder);

} // namespace troupe::learn
