#include "messages/registry.hpp"

#include <caf/init_global_meta_objects.hpp>
#include <mutex>

namespace troupe {

void register_messages() {
  static std::once_flag once;
  std::call_once(once, [] {
    caf::init_global_meta_objects<caf::id_block::troupe>();
    caf::core::init_global_meta_objects();
  });
}

} // namespace troupe
