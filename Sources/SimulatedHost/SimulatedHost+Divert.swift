public import Divert
import DivertEngine
public import DivertWire
import Firewall
import Glibc
public import Kernel
package import Packets
import Synchronization

extension SimulatedHost: DivertHost {
  public func open(port: UInt16?, options: DivertOptions) throws(SystemError) -> DivertChannel {
    let pair = try SocketPair()
    let end = SocketEnd(pair.host, options)
    let bound = try state.withLock { state throws(SystemError) -> UInt16 in
      if let port { return try state.bind(port, end) }
      return 0
    }
    let socket = SimulatedSocket(host: self, end: end)
    return DivertChannel(
      descriptor: pair.client, way: .call(socket), port: bound, counts: socket, interfaces: self)
  }
}

extension SimulatedHost {
  /// Says what happens to packets that a `divert` rule takes while nobody has bound the port: unless something else was
  /// said, they are dropped.
  ///
  /// ```swift
  /// host.setPolicy(.pass, ofPort: 2000)
  /// ```
  public func setPolicy(_ policy: UnboundPolicy, ofPort port: UInt16) {
    state.withLock { $0.engine.passingPorts = $0.engine.passingPorts(with: policy, ofPort: port) }
  }
}

/// A socket's way back into its host.
final class SimulatedSocket: InProcessHost, WriteCounts {
  private let host: SimulatedHost
  private let end: SocketEnd
  private let counts = InlineArray<16, Atomic<UInt64>> { _ in Atomic(0) }

  init(host: SimulatedHost, end: SocketEnd) { (self.host, self.end) = (host, end) }

  func reinject(_ packet: RawSpan, _ header: FrameHeader, mark: UInt32) -> CInt {
    host.perform { state in
      let before = (state.engine.counters, state.badChecksums)
      let code = state.reinject(packet, header, mark: mark)
      let after = state.engine.counters
      count(.reinjectedIncoming, after.reinjectedIncoming - before.0.reinjectedIncoming)
      count(.reinjectedOutgoing, after.reinjectedOutgoing - before.0.reinjectedOutgoing)
      count(.badChecksum, state.badChecksums - before.1)
      count(.looped, after.looped - before.0.looped)
      if let refusal = SocketCount.allCases.first(where: { $0.code == code }) { count(refusal, 1) }
      return code
    }
  }

  private func count(_ count: SocketCount, _ growth: UInt64) {
    counts[count.rawValue].wrappingAdd(growth, ordering: .relaxed)
  }

  subscript(count: SocketCount) -> UInt64 { counts[count.rawValue].load(ordering: .relaxed) }

  func release() {
    host.state.withLock { $0.release(end) }
    end.finish()
  }

  func setReceiveBuffer(_ bytes: Int) throws(SystemError) { try end.setReceiveBuffer(bytes) }

  var droppedFull: UInt64 { end.dropped.load(ordering: .relaxed) }
}

extension HostState {
  mutating func bind(_ port: UInt16, _ end: SocketEnd) throws(SystemError) -> UInt16 {
    for port in ports.ports where ports[port]?.isAbandoned == true { ports.unbind(port) }
    do throws(PortRefusal) {
      let port = try ports.choose(port)
      ports.bind(port, end)
      return port
    } catch {
      throw SystemError("bind divert port \(port)", code: error.code, advice: "another program has it")
    }
  }
}

extension HostState {
  mutating func release(_ end: SocketEnd) {
    for port in ports.ports where ports[port] === end { ports.unbind(port) }
  }
}

extension SimulatedHost: InterfaceDirectory {
  package func name(ofIndex index: UInt32) -> String? {
    state.withLock { $0.interfaces[index]?.name }
  }

  package func firstAddress(ofIndex index: UInt32) -> IPv4Address? {
    state.withLock { $0.sourceAddress(on: index, version: 4)?.version4 }
  }

  package func firstAddress6(ofIndex index: UInt32) -> IPv6Address? {
    state.withLock { $0.sourceAddress(on: index, version: 6)?.version6 }
  }

  package func index(ofName name: String) -> UInt32? {
    state.withLock { try? $0.index(of: name) }
  }

  package func index(owning address: IPv4Address) -> UInt32? {
    state.withLock { $0.owner(of: HostAddress(address)) }
  }

  package func index(owning address: IPv6Address) -> UInt32? {
    state.withLock { $0.owner(of: HostAddress(address)) }
  }
}
