#pragma once

#include <cstdint>
#include <string>

#include "messages/ids.hpp"
#include "messages/membership.hpp"

namespace troupe {

/// client → lock_service: wants the lock `name` for `lease_ms` from the grant on, and waits for it for `wait_ms` (0:
/// only if it is free). Keyed by (who, name, request); requests of a client rise. Said again at a steady pace until it
/// is answered by `lock_granted` or `lock_refused`.
struct acquire_lock {
  member who;
  uint64_t request = 0;
  std::string name;
  uint64_t lease_ms = 0;
  uint64_t wait_ms = 0;
  int64_t asked_at = 0; ///< by the client's clock; comes back with the answer

  template <class Inspector>
  friend bool inspect(Inspector& f, acquire_lock& x) {
    return f.object(x).fields(f.field("who", x.who), f.field("request", x.request), f.field("name", x.name),
                              f.field("lease_ms", x.lease_ms), f.field("wait_ms", x.wait_ms),
                              f.field("asked_at", x.asked_at));
  }
};

/// client → lock_service: holds the lock and wants its lease to begin anew. Answered by `lock_granted` with the same
/// token, or by `lock_refused` where it is not held any more.
struct renew_lock {
  member who;
  uint64_t request = 0;
  std::string name;
  fencing_token token;
  int64_t asked_at = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, renew_lock& x) {
    return f.object(x).fields(f.field("who", x.who), f.field("request", x.request), f.field("name", x.name),
                              f.field("token", x.token), f.field("asked_at", x.asked_at));
  }
};

/// client → lock_service: is done with the lock, or does not wait for it any more. Answered by `lock_released`,
/// whatever was held.
struct release_lock {
  member who;
  uint64_t request = 0;
  std::string name;

  template <class Inspector>
  friend bool inspect(Inspector& f, release_lock& x) {
    return f.object(x).fields(f.field("who", x.who), f.field("request", x.request), f.field("name", x.name));
  }
};

/// lock_service → client: the lock is yours until `lease_ms` after `asked_at`, when you asked. Show the token to
/// whatever the lock protects (`fence`).
struct lock_granted {
  std::string name;
  uint64_t request = 0;
  fencing_token token;
  uint64_t lease_ms = 0;
  int64_t asked_at = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, lock_granted& x) {
    return f.object(x).fields(f.field("name", x.name), f.field("request", x.request), f.field("token", x.token),
                              f.field("lease_ms", x.lease_ms), f.field("asked_at", x.asked_at));
  }
};

/// lock_service → client: this request does not get the lock, or holds it no more; `why` is a sentence.
struct lock_refused {
  std::string name;
  uint64_t request = 0;
  std::string why;

  template <class Inspector>
  friend bool inspect(Inspector& f, lock_refused& x) {
    return f.object(x).fields(f.field("name", x.name), f.field("request", x.request), f.field("why", x.why));
  }
};

/// lock_service → client, answer to `release_lock`.
struct lock_released {
  std::string name;
  uint64_t request = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, lock_released& x) {
    return f.object(x).fields(f.field("name", x.name), f.field("request", x.request));
  }
};

} // namespace troupe
