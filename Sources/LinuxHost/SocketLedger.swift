import BPF
import DivertWire
import Kernel
import RuleCompiler

/// The divert sockets that were handed out, written down where the next divertd finds them: the kernel knows which
/// sockets there are, not what has become of them before.
struct SocketLedger: ~Copyable, Sendable {
  /// What is written down of a socket, whose cookie is the key. Later versions may append to it.
  struct Entry: BitwiseCopyable {
    var slot: HandedSocket.Slot
    /// 0 for none.
    var port: UInt16 = 0
    var reserved: UInt16 = 0
    var options: UInt32
    var reserved2: UInt32 = 0
    /// What the port had counted when the socket got it.
    var diverted: UInt64 = 0
    var teed: UInt64 = 0
    /// What an earlier socket has left in the slot.
    var before = InlineArray<16, UInt64>(repeating: 0)

    static let size = 160
  }

  private let map: Map

  init(_ pins: PinDirectory) throws(SystemError) {
    let map = try Map.kept(
      "divert_ledger", in: pins, .hash, keySize: 8, valueSize: Entry.size,
      capacity: HookMaps.socketCapacity)
    try map.pin(in: pins)
    self.map = map
  }

  var entries: [(cookie: UInt64, entry: Entry)] {
    map.entries(of: UInt64.self).compactMap { cookie, bytes in
      guard bytes.count >= Entry.size else { return nil }
      return (cookie, unsafe bytes.span.bytes.unsafeLoadUnaligned(as: Entry.self))
    }
  }

  func write(_ entry: Entry, of cookie: UInt64) throws(SystemError) { try map.update(cookie, entry) }

  func strike(_ cookie: UInt64) { map.delete(cookie) }
}

extension SocketLedger.Entry {
  init(_ socket: HandedSocket, port: UInt16, before: PortCounts) {
    self.init(slot: socket.slot, options: socket.options.rawValue)
    (self.port, diverted, teed) = (port, before.diverted, before.teed)
    for (index, count) in socket.before.values.prefix(16).enumerated() { self.before[index] = count }
  }

  var portCounts: PortCounts { PortCounts(diverted: diverted, teed: teed) }
  var socketCounts: Counts<SocketCount> {
    Counts(SocketCount.allCases.map { before[$0.rawValue] })
  }
}
