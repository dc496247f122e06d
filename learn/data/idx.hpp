#pragma once

#include <filesystem>

#include "learn/dataset.hpp"

namespace troupe::learn {

/// Whether `folder` holds at least one of the four IDX files.
bool holds_idx(const std::filesystem::path& folder);

/// Opens a data set of the MNIST family: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte, each plain or with .gz. Ten classes, one channel, MNIST's mean and deviation.
///
/// The format (Y. LeCun, C. Cortes, C. Burges: "The MNIST database"): big-endian 32-bit words 0x0000_08_DD (08: bytes,
/// DD: number of dimensions) and one size per dimension, then the bytes, row-major.
expected<data_source> open_idx(const std::filesystem::path& folder);

} // namespace troupe::learn
