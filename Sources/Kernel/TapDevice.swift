import CSystem
import Glibc

/// A virtual Ethernet device that exists while its descriptor is open (tuntap, IFF_TAP). What is sent to it is shown
/// to packet sockets and then dropped by a filter, so that nobody has to read from it.
package struct TapDevice: ~Copyable, Sendable {
  private let descriptor: Descriptor
  package let index: UInt32
  package let name: String

  /// The largest MTU a TAP device takes.
  package static let maximumMTU: CInt = 65521

  package init(_ name: String) throws(SystemError) {
    guard unsafe access("/dev/net/tun", F_OK) == 0 else {
      throw SystemError(
        "open /dev/net/tun", advice: "the kernel lacks TUN; try `modprobe tun`, or build it with CONFIG_TUN")
    }
    let descriptor = Descriptor(
      owning: try retrying("open /dev/net/tun") {
        unsafe open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)
      })
    var request = InterfaceRequest(name)
    // IFF_TUN_EXCL: an existing device of that name is somebody else's.
    request.flags = UInt16(IFF_TAP | IFF_NO_PI) | 0x8000
    let tun = descriptor.number
    _ = try retrying("create the device \(name)") { request.call(tun, 0x4004_54ca) }  // TUNSETIFF

    // Drops everything behind the sockets: one BPF instruction, "return 0" (TUNATTACHFILTER).
    var instruction = sock_filter(code: 0x06, jt: 0, jf: 0, k: 0)
    _ = try retrying("attach the filter of \(name)") {
      unsafe withUnsafeMutablePointer(to: &instruction) { pointer in
        var program = unsafe sock_fprog(len: 1, filter: pointer)
        return unsafe csystem_ioctl(tun, 0x4010_54d5, &program)
      }
    }

    try prepareLink(name, mtu: UInt32(Self.maximumMTU))
    let index = unsafe if_nametoindex(name)
    guard index != 0 else { throw SystemError("find the device \(name)") }

    self.descriptor = descriptor
    self.index = index
    self.name = name
  }
}
