import CSystem
import Glibc

/// The largest packet that the route to an IPv4 address takes, in bytes, as the kernel knows it by now (IP_MTU); nil
/// without a route.
///
/// - Parameter address: In host byte order.
package func pathMTU(to4 address: UInt32) -> Int? {
  var target = sockaddr_in()
  target.sin_family = sa_family_t(AF_INET)
  target.sin_port = in_port_t(9).bigEndian
  target.sin_addr.s_addr = address.bigEndian
  return pathMTU(to: &target, AF_INET, level: CInt(IPPROTO_IP), option: 14)
}

/// The same for an IPv6 address (IPV6_MTU), as two halves in host byte order.
package func pathMTU(to6 address: (high: UInt64, low: UInt64)) -> Int? {
  var target = sockaddr_in6()
  target.sin6_family = sa_family_t(AF_INET6)
  target.sin6_port = in_port_t(9).bigEndian
  var halves = (address.high.bigEndian, address.low.bigEndian)
  unsafe withUnsafeMutableBytes(of: &target.sin6_addr) { bytes in
    unsafe withUnsafeBytes(of: &halves) { unsafe bytes.copyMemory(from: $0) }
  }
  return pathMTU(to: &target, AF_INET6, level: CInt(IPPROTO_IPV6), option: 24)
}

/// A socket is connected for it; that sends nothing.
private func pathMTU<Address>(to target: inout Address, _ family: CInt, level: CInt, option: CInt) -> Int? {
  let number = socket(family, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
  guard number >= 0 else { return nil }
  let descriptor = Descriptor(owning: number)
  let size = socklen_t(MemoryLayout<Address>.size)
  let connected = unsafe withUnsafePointer(to: &target) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe connect(descriptor.number, $0, size)
    }
  }
  var mtu: CInt = 0
  var length = socklen_t(MemoryLayout<CInt>.size)
  guard connected == 0, unsafe getsockopt(descriptor.number, level, option, &mtu, &length) == 0 else {
    return nil
  }
  return Int(mtu)
}
