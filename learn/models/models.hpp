#pragma once

#include "learn/model.hpp"

/// The built-in models. Each takes the common options and says in one sentence what it cannot do with them.
namespace troupe::learn::models {

/// Three linear layers of 1024, 1024 and `classes` features; parameters "0.weight" … "4.bias".
expected<std::shared_ptr<const model>> mlp(const model_options& options);

/// LeNet-5 with ReLU and max pooling (Y. LeCun et al., 1998); parameters "0.weight" … "11.bias".
expected<std::shared_ptr<const model>> lenet(const model_options& options);

/// The 20-layer network for CIFAR-10 with option A shortcuts (K. He et al., 2015, section 4.2); parameters "0.weight",
/// "1.weight", "3.c1.weight" … "14.bias".
expected<std::shared_ptr<const model>> resnet20(const model_options& options);

/// torchvision's resnet18; for images up to 32 pixels its first convolution is 3x3 with stride 1 and there is no max
/// pooling.
expected<std::shared_ptr<const model>> resnet18(const model_options& options);

/// torchvision's resnet50.
expected<std::shared_ptr<const model>> resnet50(const model_options& options);

} // namespace troupe::learn::models
