#pragma once

#include <memory>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string>

#include "actors/link_hello.hpp"
#include "messages/failure.hpp"

/// Owners of OpenSSL's objects, and what several files ask of it.
namespace troupe::openssl {

template <auto Free>
struct release {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

using bio = std::unique_ptr<BIO, release<BIO_free_all>>;
using big_number = std::unique_ptr<BIGNUM, release<BN_free>>;
using key = std::unique_ptr<EVP_PKEY, release<EVP_PKEY_free>>;
using certificate = std::unique_ptr<X509, release<X509_free>>;
using extension = std::unique_ptr<X509_EXTENSION, release<X509_EXTENSION_free>>;
using general_names = std::unique_ptr<GENERAL_NAMES, release<GENERAL_NAMES_free>>;
using context = std::unique_ptr<SSL_CTX, release<SSL_CTX_free>>;
using session = std::unique_ptr<SSL, release<SSL_free>>;

/// Where OpenSSL fails for lack of memory or because the installation is broken: throws.
void check(bool good);

/// The reason of the last failure on this thread, and forgets it: "wrong version number".
std::string last_reason();

/// Fills `bytes` from OpenSSL's random numbers, which nobody can guess.
void draw(std::span<uint8_t> bytes);

expected<certificate> read_certificate(const std::string& path);
/// Refuses a file that others than its owner may read.
expected<key> read_key(const std::string& path);

certificate_facts facts_of(const X509* what);

} // namespace troupe::openssl
