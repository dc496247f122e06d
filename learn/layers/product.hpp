#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "learn/plan.hpp"

/// What linear and convolutional layers have in common: operations that read or make parameters.
namespace troupe::learn {

using arguments = std::unordered_map<int, dnn::memory>; ///< by oneDNN's argument number

/// A parameter as an argument of a primitive.
struct weight_argument {
  int argument;
  size_t slice;
  dnn::desc described;    ///< in the layout that the primitive reads or writes
  dnn::desc seen_as = {}; ///< that layout under another description; empty: the same
};

/// What a primitive reads and writes besides parameters, and the tensors among it.
struct operands {
  arguments all;
  std::vector<tensor> tensors;
};

/// With the primitive's scratchpad, if it needs one: it lives in the arena, for that one operation.
operands with_scratchpad(plan_builder& p, const dnnl::primitive_desc_base& d, operands o);

/// Appends a primitive that reads `weights`, up to date with what is bound then, besides `others`.
void emit_reading(plan_builder& p, std::string_view name, const dnnl::primitive& what, arguments others,
                  const std::vector<tensor>& touched, const std::vector<weight_argument>& weights);

/// Appends a primitive that computes the gradients of `weights` from `others`.
void emit_gradients(plan_builder& p, std::string_view name, const dnnl::primitive& what, arguments others,
                    std::vector<tensor> touched, const std::vector<weight_argument>& weights);

} // namespace troupe::learn
