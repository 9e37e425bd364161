import CSystem
import DivertWire
import Glibc
import Kernel
import Packets
import Synchronization

/// What a socket and its writer share.
final class Connection: Sendable {
  let descriptor: SharedDescriptor
  let way: DivertChannel.Way
  let port: UInt16
  let interfaces: any InterfaceDirectory
  let options: DivertOptions
  /// Nil for a host of an older version, which does not tell.
  let counts: (any WriteCounts)?
  private let kernelCounts: KernelCounts?
  private let refusals = Mutex<[CInt: UInt64]>([:])
  private let dropped = Atomic<UInt64>(0)
  private let control: Mutex<ControlConnection?>
  private let released = Atomic(false)

  init(_ channel: consuming DivertChannel, _ options: DivertOptions = []) {
    self.options = options
    (way, port, interfaces) = (channel.way, channel.port, channel.interfaces)
    counts = channel.counts
    kernelCounts = channel.counts as? KernelCounts
    control = Mutex(channel.control)
    descriptor = SharedDescriptor(channel.descriptor)
  }

  /// Frees the port; calls under way still come to their end.
  func close() {
    descriptor.close()
    control.withLock { $0 = nil }
  }

  /// Whether the port was released, or is about to be.
  var isReleased: Bool { released.load(ordering: .acquiring) }

  func release() throws(SystemError) {
    let number = try descriptor.enter(for: "release divert port \(port)")
    defer { descriptor.leave() }
    released.store(true, ordering: .releasing)
    switch way {
    case .call(let host): host.release()
    case .frames:
      let answer = try control.withLock { control throws(SystemError) in
        try Self.askToRelease(number, &control)
      }
      guard answer == .done else { throw SystemError("release divert port \(port)", code: EPROTO) }
    }
  }

  private static func askToRelease(
    _ number: CInt, _ control: inout ControlConnection?
  ) throws(SystemError) -> ControlMessage? {
    do throws(SystemError) {
      return try control?.ask(.release, descriptor: number)
    } catch {
      // Another divertd may have taken over from the one that made the socket.
      guard error.code == ECONNRESET || error.code == EPIPE, let path = control?.path,
        let next = try? ControlConnection(path: path)
      else { throw error }
      control = consume next
      return try control?.ask(.release, descriptor: number)
    }
  }

  /// Takes note of packets that were refused with an errno.
  func refuse(_ code: CInt, count: UInt64 = 1) {
    refusals.withLock { $0[code, default: 0] += count }
  }

  var refusedByCode: [CInt: UInt64] { refusals.withLock { $0 } }

  /// What a failed write means: `ENOBUFS` stands for all that the hooks refuse, and they have written down why.
  func reason(for code: CInt) -> CInt {
    code == ENOBUFS ? kernelCounts?.lastRefusal ?? code : code
  }

  /// How many of the packets written since the last call a rule has denied in their outgoing pass: to the kernel a
  /// packet that a rule takes was sent.
  var newlyDenied: UInt64 { kernelCounts?.growth(of: .denied) ?? 0 }

  /// How many packets found the receive buffer full, since the socket was opened.
  var droppedFull: UInt64 {
    if case .call(let host) = way { return host.droppedFull }
    var counts = tpacket_stats()
    var length = socklen_t(MemoryLayout<tpacket_stats>.size)
    // The kernel forgets its count as it tells it. A closed socket, or one that is no packet socket, tells none.
    var new: UInt64 = 0
    if let number = try? descriptor.enter(for: "count packets") {
      let result = unsafe getsockopt(number, SOL_PACKET, PACKET_STATISTICS, &counts, &length)
      descriptor.leave()
      if result == 0 { new = UInt64(counts.tp_drops) }
    }
    return dropped.wrappingAdd(new, ordering: .relaxed).newValue
  }

  func setReceiveBuffer(_ bytes: Int) throws(SystemError) {
    if case .call(let host) = way { return try host.setReceiveBuffer(bytes) }
    var size = CInt(clamping: bytes / 2)  // the kernel doubles it
    let length = socklen_t(MemoryLayout<CInt>.size)
    let number = try descriptor.enter(for: "set the receive buffer")
    defer { descriptor.leave() }
    if unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &size, length) == 0 { return }
    _ = try retrying("set the receive buffer") {
      unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUF, &size, length)
    }
  }

  /// The index for an address's interface; 0 for none.
  func index(of interface: DivertAddress.Interface) -> UInt32? {
    switch interface {
    case .none: 0
    case .index(let index): index
    case .name(let name): interfaces.index(ofName: name.description)
    case .address(let address): interfaces.index(owning: address)
    case .address6(let address): interfaces.index(owning: address)
    }
  }
}
