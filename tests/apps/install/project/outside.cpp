#include <cstdio>

#include "learn/model.hpp"
#include "messages/ids.hpp"

int main() {
  const auto model = troupe::learn::make_model({.name = "lenet", .input = {.channels = 1, .height = 28, .width = 28}});
  if (model)
    std::printf("%s trains %zu parameters\n", to_string(troupe::role_id{"agent", 2}).c_str(),
                (*model)->layout().size());
  return model ? 0 : 1;
}
