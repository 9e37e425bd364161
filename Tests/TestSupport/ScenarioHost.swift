package import Divert
package import DivertWire
import Glibc
import Packets
import Synchronization

/// Where scenarios are played: three hosts in a row, with the rules and the divert sockets in the middle one.
///
/// ```
///   A ──────────────── B ──────────────── C
///   192.0.2.1/24       192.0.2.2/24       198.51.100.2/24
///   2001:db8:1::1/64   2001:db8:1::2/64   2001:db8:2::2/64
///                      198.51.100.1/24
///                      2001:db8:2::1/64
/// ```
///
/// B forwards; A and C have default routes to it. No rules yet, `allow` by default.
package protocol ScenarioHost {
  /// Runs a command of ipfw in B.
  @discardableResult func ipfw(_ command: String) throws -> String

  /// Opens a divert socket in B.
  func open(port: UInt16, options: DivertOptions) throws(SystemError) -> DivertSocket

  /// Says what happens in B to packets for a port that nobody has bound.
  func setPolicy(_ policy: UnboundPolicy, ofPort port: UInt16) throws

  /// Pings from A while the programs run, until all answers have come or none will.
  ///
  /// - Parameter size: Bytes of payload, behind 8 of ICMP header.
  /// - Returns: How many pings were answered.
  func ping(_ destination: String, count: Int, size: Int, programs: [ScenarioProgram]) throws -> Int

  /// A user's program on B sends a UDP datagram that it has marked.
  func send(_ size: Int, to destination: String, port: UInt16, mark: UInt32, owner: UInt32) throws

  /// The name of an interface of B that a divert address tells; nil: it tells none.
  func name(of interface: DivertAddress.Interface) -> String?

  /// How many packets a rule of B has matched.
  func packets(countedBy rule: UInt16) throws -> UInt64
}

extension ScenarioHost {
  package func ping(
    _ destination: String, count: Int, programs: [ScenarioProgram] = []
  ) throws -> Int {
    try ping(destination, count: count, size: 56, programs: programs)
  }

  package func ping(_ destination: String, count: Int, size: Int) throws -> Int {
    try ping(destination, count: count, size: size, programs: [])
  }

  package func open(port: UInt16) throws(SystemError) -> DivertSocket { try open(port: port, options: []) }

  /// Opens a port that this process has just given back: a program that some other test starts at that time holds a copy
  /// of the socket until it runs (O_CLOEXEC).
  package func openFreed(port: UInt16) throws(SystemError) -> DivertSocket {
    for _ in 0..<10_000 {
      do throws(SystemError) { return try open(port: port) } catch {
        guard error.code == EADDRINUSE else { throw error }
      }
    }
    return try open(port: port)
  }

  /// Starts a program on a port.
  package func program(
    on port: UInt16, options: DivertOptions = [], _ act: @escaping ScenarioProgram.Act = { [$0] }
  ) throws(SystemError) -> ScenarioProgram {
    ScenarioProgram(try open(port: port, options: options), act)
  }
}

/// A program in a scenario: keeps what it reads, and for each packet writes those that `act` makes of it.
package final class ScenarioProgram: Sendable {
  package typealias Act = @Sendable (Packet) -> [Packet]

  private let act: Act
  private let socket: Mutex<DivertSocket>
  private let writer: DivertWriter
  private let read: Mutex<[Packet]> = Mutex([])

  package init(_ socket: consuming DivertSocket, _ act: @escaping Act) {
    self.act = act
    writer = socket.writer
    self.socket = Mutex(socket)
  }

  /// All it has read.
  package var seen: [Packet] { read.withLock { $0 } }

  package var statistics: DivertStatistics { socket.withLock { $0.statistics } }

  /// Reads what is there, waiting for the first packet as long as told, and acts.
  ///
  /// - Returns: How many packets came.
  @discardableResult
  package func step(wait: Duration = .zero) throws(SystemError) -> Int {
    let packets = try socket.withLock { socket throws(SystemError) in
      var packets: [Packet] = []
      var batch = try socket.read(timeout: wait)
      while let packet = batch.next() { packets.append(packet.copy()) }
      return packets
    }
    read.withLock { $0 += packets }
    for packet in packets {
      for answer in act(packet) { try writer.reinject(answer) }
    }
    return packets.count
  }
}
