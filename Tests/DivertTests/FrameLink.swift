import Divert
import DivertWire
import Glibc
import Kernel
import Packets
import Synchronization
import TestSupport

/// A host that is no more than the other end of the descriptor: tests write what the kernel would send and
/// read what a client wrote.
final class FrameLink: DivertHost {
  private let client: Mutex<Descriptor?>
  private let kernel: Mutex<Descriptor?>
  let interfaces: any InterfaceDirectory = Interfaces()

  struct Interfaces: InterfaceDirectory {
    func name(ofIndex index: UInt32) -> String? { index == 3 ? "em0" : nil }
    func firstAddress(ofIndex index: UInt32) -> IPv4Address? {
      index == 3 ? IPv4Address(rawValue: 0xc000_0201) : nil
    }
    func firstAddress6(ofIndex index: UInt32) -> IPv6Address? {
      index == 3 ? IPv6Address("2001:db8::1") : nil
    }
    func index(ofName name: String) -> UInt32? { name == "em0" ? 3 : nil }
    func index(owning address: IPv4Address) -> UInt32? { address.rawValue == 0xc000_0201 ? 3 : nil }
    func index(owning address: IPv6Address) -> UInt32? { address == IPv6Address("2001:db8::1") ? 3 : nil }
  }

  init() throws(SystemError) {
    var pair: (CInt, CInt) = (-1, -1)
    _ = try retrying("make a socket pair") {
      unsafe withUnsafeMutableBytes(of: &pair) { pair in
        unsafe socketpair(
          AF_UNIX, CInt(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0,
          pair.assumingMemoryBound(to: CInt.self).baseAddress)
      }
    }
    client = Mutex(Descriptor(owning: pair.0))
    kernel = Mutex(Descriptor(owning: pair.1))
  }

  func open(port: UInt16?, options: DivertOptions) throws(SystemError) -> DivertChannel {
    guard let descriptor = client.withLock({ $0.take() }) else {
      throw SystemError("open a divert socket", code: EADDRINUSE)
    }
    return DivertChannel(descriptor: descriptor, port: port ?? 0, interfaces: interfaces)
  }

  /// Sends a frame to the client.
  func send(_ header: FrameHeader, _ packet: [UInt8]) throws(SystemError) {
    var frame = [UInt8](repeating: 0, count: FrameHeader.packetOffset) + packet
    unsafe frame.withUnsafeMutableBytes { buffer in
      var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
      header.write(to: &span, packetVersion: (packet.first ?? 0) >> 4)
    }
    try send(frame)
  }

  func send(_ frame: [UInt8]) throws(SystemError) {
    _ = try kernel.withLock { kernel throws(SystemError) in
      try retrying("send a frame") { unsafe Glibc.send(kernel?.number ?? -1, frame, frame.count, 0) }
    }
  }

  /// The next frame that the client has written, or nil if there is none.
  func receive() -> [UInt8]? {
    var frame = [UInt8](repeating: 0, count: 65_600)
    let count = kernel.withLock { kernel in
      unsafe recv(kernel?.number ?? -1, &frame, frame.count, CInt(MSG_DONTWAIT))
    }
    return count >= 0 ? Array(frame.prefix(count)) : nil
  }

  /// The host is gone.
  func hangUp() { kernel.withLock { $0 = nil } }
}
