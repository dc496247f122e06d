#include "actors/link_settings.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>

#include "actors/openssl.hpp"

namespace troupe {
namespace {

constexpr auto secret_variable = "TROUPE_RUN_SECRET";
constexpr auto secret_prefix = std::string_view{"TROUPE_RUN_SECRET="};

} // namespace

expected<std::shared_ptr<const link_identity>> identity_in(const std::string& folder) {
  if (folder.empty())
    return nullptr;
  return link_identity::read(folder);
}

std::string draw_secret() {
  auto bytes = std::array<uint8_t, 32>{};
  openssl::draw(bytes);
  auto result = std::string{};
  for (auto each : bytes)
    result += fmt::format("{:02x}", each);
  return result;
}

std::string inherited_secret() {
  const auto* value = std::getenv(secret_variable);
  auto result = std::string{value == nullptr ? "" : value};
  ::unsetenv(secret_variable);
  return result;
}

std::string secret_for_child(const std::string& secret) {
  return fmt::format("{}{}", secret_prefix, secret);
}

bool is_secret(std::string_view variable) {
  return variable.starts_with(secret_prefix);
}

} // namespace troupe
