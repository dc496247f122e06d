#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "learn/layout.hpp"
#include "messages/ids.hpp"

namespace troupe::testing {

struct training_shape;

/// The parameters of every version, block by block, as a run without faults has them. Of what a seed of the simulation
/// draws they depend on how a step is cut into micro-batches, and on which samples these have (R5, R6, I10).
class undisturbed_run {
public:
  /// Kept from then on.
  static const undisturbed_run& known(const training_shape& shape);

  /// Sentence on the first difference, if there is one.
  [[nodiscard]] std::optional<std::string> differs(step version, size_t block, std::span<const float> values) const;
  /// The same for sums in another order: relative L2 distance of all parameters of a version at most `limit`.
  [[nodiscard]] std::optional<std::string> is_far(step version, const learn::layout& layout,
                                                  std::span<const float> values, double limit = 1e-5) const;
  [[nodiscard]] const std::vector<double>& test_accuracy() const { return accuracy_; }
  [[nodiscard]] uint64_t steps() const { return last_.value; }

private:
  static undisturbed_run play(const training_shape& shape);

  std::map<std::pair<step, size_t>, std::vector<float>> parameters_;
  std::vector<double> accuracy_;
  step last_;
};

} // namespace troupe::testing
