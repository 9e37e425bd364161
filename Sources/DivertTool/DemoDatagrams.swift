import Glibc
import Kernel
import Packets

/// A UDP socket. It stays in the network namespace in which it was made.
final class DemoDatagrams: Sendable {
  private let descriptor: Descriptor

  init(port: UInt16) throws(SystemError) {
    let type = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    let descriptor = Descriptor(owning: try retrying("open a UDP socket") { socket(AF_INET, type, 0) })
    let number = descriptor.number
    let address = Self.address(IPv4Address(rawValue: 0), port)
    _ = try retrying("bind UDP port \(port)") {
      unsafe Self.withPointer(to: address) { unsafe bind(number, $0, $1) }
    }
    self.descriptor = descriptor
  }

  func send(_ text: String, to host: String, port: UInt16) throws(SystemError) {
    let number = descriptor.number
    guard let host = IPv4Address(host) else { throw SystemError("send to \(host)", code: EINVAL) }
    let address = Self.address(host, port)
    let bytes = Array(text.utf8)
    _ = try retrying("send a datagram") {
      unsafe Self.withPointer(to: address) { pointer, size in
        unsafe bytes.withUnsafeBytes { unsafe sendto(number, $0.baseAddress, $0.count, 0, pointer, size) }
      }
    }
  }

  /// - Returns: The next datagram's text, nil if the time is over.
  func receive(within limit: Duration) throws(SystemError) -> String? {
    guard try waitForInput(on: descriptor.number, until: .now + limit) else { return nil }
    return String(decoding: readSome(of: descriptor), as: UTF8.self)
  }

  private static func address(_ host: IPv4Address, _ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = UInt16(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = host.rawValue.bigEndian
    return address
  }

  private static func withPointer<Result>(
    to address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    unsafe withUnsafePointer(to: address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
