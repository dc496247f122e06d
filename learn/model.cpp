#include "learn/model.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "learn/models/models.hpp"
#include "learn/models/none.hpp"

namespace troupe::learn {

namespace {

expected<std::shared_ptr<const model>> make_none(const model_options& options) {
  return std::make_shared<models::none>(options);
}

struct entry {
  std::string_view name;
  expected<std::shared_ptr<const model>> (*make)(const model_options&);
};

constexpr std::array built_in = {entry{"mlp", models::mlp},           entry{"lenet", models::lenet},
                                 entry{"resnet20", models::resnet20}, entry{"resnet18", models::resnet18},
                                 entry{"resnet50", models::resnet50}, entry{"none", make_none}};

constexpr auto names = [] {
  std::array<std::string_view, built_in.size()> all;
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = built_in[i].name;
  return all;
}();

} // namespace

std::span<const std::string_view> model_names() {
  return names;
}

expected<std::shared_ptr<const model>> make_model(const model_options& options) {
  const auto found =
    std::find_if(built_in.begin(), built_in.end(), [&](const entry& e) { return e.name == options.name; });
  if (found == built_in.end())
    return fail(fmt::format("there is no model \"{}\": choose one of {}", options.name, fmt::join(names, ", ")));
  return found->make(options);
}

} // namespace troupe::learn
