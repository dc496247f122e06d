#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/failure.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// Which actors of registered types a node starts, for whom, and which live: the pure core of `spawner` (R1). What is
/// registered is all that can be started. A job is a process that asks; it has at most so many actors here (R13).
class spawner_core {
public:
  struct options {
    std::vector<std::string> types;    ///< registered, by name
    std::vector<std::string> messages; ///< `own_message_types` of this program
    uint32_t most = 256;               ///< actors of a job
    std::string program;               ///< and its version, for the sentence: "my_app (troupe 1.2.3)"
  };

  /// What is asked, without what only the shell needs.
  struct request {
    std::string job;        ///< the process that asks
    std::string supervisor; ///< of the child, in that process
    std::string child;
    troupe::incarnation number;
    std::string type;
    uint64_t messages = 0; ///< fingerprint
    uint64_t argument_bytes = 0;
  };

  /// Of an actor that was started here.
  using actor_number = uint64_t;

  explicit spawner_core(options o);

  /// Why there will be no such actor, as a clause that has "it" for the node; empty: it may be started.
  [[nodiscard]] std::string refusal(const request& what) const;
  /// The sentence for an argument that is none of its type's.
  [[nodiscard]] std::string no_argument(const request& what) const;

  struct begun {
    actor_number number;
    std::optional<actor_number> over; ///< an earlier incarnation of the child, which has to end (T2)
  };
  /// The actor was started.
  begun started(const request& what);
  /// An actor has ended, until when it counts. Known no more: nothing happens.
  void ended(actor_number which);

  [[nodiscard]] size_t actors() const { return living_.size(); }

private:
  using child = std::pair<std::string, std::string>; // of which supervisor, and its id
  struct record {
    std::string job;
    child who;
  };
  struct latest {
    troupe::incarnation number;
    actor_number actor;
  };

  [[nodiscard]] uint32_t actors_of(const std::string& job) const;

  options options_;
  uint64_t messages_;
  std::map<actor_number, record> living_;
  std::map<child, latest> children_; // that live
  std::map<std::string, uint32_t> jobs_;
  actor_number last_ = 0;
};

} // namespace troupe
