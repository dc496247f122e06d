#pragma once

#include <memory>
#include <string>

#include "actors/link_hello.hpp"
#include "messages/failure.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace troupe {

/// Who this process is on the network, and whom it believes: a certificate with its key, and the CA of its job. TLS 1.3
/// only, both sides show a certificate, and no session is resumed: each connection is checked anew.
class link_identity {
public:
  /// Reads `ca.pem`, `cert.pem` and `key.pem` of a folder that `troupe certs` has made. One sentence where one is
  /// missing, is no longer or not yet valid, is of another CA, does not fit the others or can be read by others.
  static expected<std::shared_ptr<const link_identity>> read(const std::string& folder);

  ~link_identity();
  link_identity(const link_identity&) = delete;
  link_identity& operator=(const link_identity&) = delete;

  [[nodiscard]] const certificate_facts& facts() const { return facts_; }
  /// A session's new TLS state, for the side that dials `host` or, where that is empty, for the side that listens.
  [[nodiscard]] ssl_st* new_session(int socket, const std::string& host) const;

private:
  link_identity(ssl_ctx_st* context, certificate_facts facts) : context_(context), facts_(std::move(facts)) {}

  ssl_ctx_st* context_;
  certificate_facts facts_;
};

} // namespace troupe
