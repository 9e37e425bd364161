import CSystem
import Glibc

/// The number of the network namespace that this thread is in; unlike an inode's, no other one gets it until the next
/// boot (SO_NETNS_COOKIE, Linux 5.14).
package func networkNamespaceCookie() throws(SystemError) -> UInt64 {
  let descriptor = Descriptor(
    owning: try retrying("open a socket") {
      socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    })
  let number = descriptor.number
  var cookie: UInt64 = 0
  var size = socklen_t(8)
  _ = try retrying("ask the network namespace's cookie") {
    unsafe getsockopt(number, SOL_SOCKET, 71, &cookie, &size)
  }
  return cookie
}
