import CSystem
import Glibc

/// Sets the MTU of any interface.
package func setMTU(of name: String, to mtu: UInt32) throws(SystemError) {
  let control = Descriptor(
    owning: try retrying("open a socket") {
      socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    })
  var request = InterfaceRequest(name)
  request.value = CInt(mtu)
  _ = try retrying("set the MTU of \(name)") { request.call(control.number, UInt(SIOCSIFMTU)) }
}

/// Makes a link device of an interface: nothing of IPv6's own (router solicitations, duplicate detection) belongs there,
/// nor of ARP's.
func prepareLink(_ name: String, mtu: UInt32) throws(SystemError) {
  try? writeSmallFile("/proc/sys/net/ipv6/conf/\(name)/disable_ipv6", "1")
  try setMTU(of: name, to: mtu)
  let control = Descriptor(
    owning: try retrying("open a socket") {
      socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    })
  var request = InterfaceRequest(name)
  request.flags = UInt16(IFF_UP) | UInt16(IFF_NOARP)
  _ = try retrying("bring up \(name)") { request.call(control.number, UInt(SIOCSIFFLAGS)) }
}

/// Switches an offload of a device off (SIOCETHTOOL).
///
/// - Parameter command: One of linux/ethtool.h that takes a `struct ethtool_value`.
func switchOff(_ command: UInt32, of name: String) throws(SystemError) {
  let control = Descriptor(
    owning: try retrying("open a socket") {
      socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    })
  // struct ethtool_value: command, value.
  var value: InlineArray<2, UInt32> = [command, 0]
  var request = InterfaceRequest(name)
  let number = control.number
  _ = try retrying("switch off an offload of \(name)") {
    unsafe withUnsafeMutableBytes(of: &value) { value in
      request.address = UInt(bitPattern: value.baseAddress)
      return request.call(number, 0x8946)  // SIOCETHTOOL
    }
  }
}

/// `struct ifreq`: a name of 16 bytes and a union of which three members are used here.
struct InterfaceRequest {
  private var bytes: InlineArray<5, UInt64> = .init(repeating: 0)

  init(_ name: String) {
    for (index, byte) in name.utf8.prefix(15).enumerated() { store(byte, at: index) }
  }

  var flags: UInt16 = 0 { didSet { store(flags, at: 16) } }
  var value: CInt = 0 { didSet { store(value, at: 16) } }
  var address: UInt = 0 { didSet { store(address, at: 16) } }

  private mutating func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    raw.storeBytes(of: value, toByteOffset: offset, as: Value.self)
  }

  mutating func call(_ descriptor: CInt, _ request: UInt) -> CInt {
    var span = bytes.mutableSpan
    return unsafe span.withUnsafeMutableBytes { unsafe csystem_ioctl(descriptor, request, $0.baseAddress) }
  }
}
