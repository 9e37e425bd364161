public import Divert
import DivertEngine
import DivertWire
import Firewall
import Glibc
public import Kernel
package import Packets
import Synchronization

extension SimulatedHost: DivertHost {
  public func open(port: UInt16?) throws(SystemError) -> DivertChannel {
    let pair = try SocketPair()
    let end = SocketEnd(pair.host)
    let bound = try state.withLock { state throws(SystemError) -> UInt16 in
      if let port { return try state.bind(port, end) }
      return 0
    }
    return DivertChannel(
      descriptor: pair.client, way: .call(SimulatedSocket(host: self, end: end)), port: bound,
      interfaces: self)
  }
}

/// A socket's way back into its host.
final class SimulatedSocket: InProcessHost {
  private let host: SimulatedHost
  private let end: SocketEnd

  init(host: SimulatedHost, end: SocketEnd) { (self.host, self.end) = (host, end) }

  func reinject(_ packet: RawSpan, _ header: FrameHeader) -> CInt {
    host.perform { $0.reinject(packet, header) }
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

extension SimulatedHost: InterfaceDirectory {
  package func name(ofIndex index: UInt32) -> String? {
    state.withLock { $0.interfaces[index]?.name }
  }

  package func firstAddress(ofIndex index: UInt32) -> IPv4Address? {
    state.withLock { $0.sourceAddress(on: index, version: 4)?.version4 }
  }

  package func index(ofName name: String) -> UInt32? {
    state.withLock { try? $0.index(of: name) }
  }

  package func index(owning address: IPv4Address) -> UInt32? {
    state.withLock { $0.owner(of: HostAddress(address)) }
  }
}
