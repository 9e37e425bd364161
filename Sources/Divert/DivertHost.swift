package import DivertWire
public import Kernel
package import Packets

/// Anything packets pass through: this machine's kernel (``DivertDaemon``), or a simulated host.
public protocol DivertHost: Sendable {
  /// Opens a divert socket.
  ///
  /// - Parameter port: The divert port to bind; 0 takes any free one, nil binds none, which is enough to
  ///   write packets.
  /// - Throws: `EPERM` without privilege, `EACCES` for a port below 1024 that is not the caller's to bind,
  ///   `EADDRINUSE` when somebody has it.
  func open(port: UInt16?, options: DivertOptions) throws(SystemError) -> DivertChannel
}

/// What a host hands out for a divert socket: the way packets come and the way they go back.
public struct DivertChannel: ~Copyable, Sendable {
  /// How packets are written.
  package enum Way: Sendable {
    /// As frames on the descriptor.
    case frames
    /// By a call, answered at once. Frames for a socket that asks for what is told beside packets have that behind them:
    /// a `FrameNote`.
    case call(any InProcessHost)
  }

  /// Packets are read here, a frame each: `FrameHeader`, EtherType, packet.
  package let descriptor: Descriptor
  package let way: Way
  /// The bound port, 0 for none.
  package let port: UInt16
  package let counts: (any WriteCounts)?
  /// Stays open for as long as the socket.
  package let control: ControlConnection?
  package let interfaces: any InterfaceDirectory

  package init(
    descriptor: consuming Descriptor, way: Way = .frames, port: UInt16,
    control: consuming ControlConnection? = nil, counts: (any WriteCounts)? = nil,
    interfaces: any InterfaceDirectory
  ) {
    self.descriptor = descriptor
    self.way = way
    self.port = port
    self.control = control
    self.counts = counts
    self.interfaces = interfaces
  }
}

/// A host in this process, as a divert socket sees it.
package protocol InProcessHost: AnyObject, Sendable {
  /// Puts a packet back into the packet path.
  ///
  /// - Returns: 0, or the errno for which it was refused.
  func reinject(_ packet: RawSpan, _ header: FrameHeader, mark: UInt32) -> CInt

  /// Frees the port; nothing comes to the socket any more but the end.
  func release()

  /// How many bytes may wait to be read.
  func setReceiveBuffer(_ bytes: Int) throws(SystemError)

  /// How many packets found the socket's receive buffer full.
  var droppedFull: UInt64 { get }
}

/// The interfaces of a host.
package protocol InterfaceDirectory: Sendable {
  func name(ofIndex index: UInt32) -> String?
  /// The first address in order of configuration.
  func firstAddress(ofIndex index: UInt32) -> IPv4Address?
  func firstAddress6(ofIndex index: UInt32) -> IPv6Address?
  func index(ofName name: String) -> UInt32?
  func index(owning address: IPv4Address) -> UInt32?
  /// Of a link-local address that several interfaces have, the first one's: their scope is the link (RFC 4291 §2.5.6).
  func index(owning address: IPv6Address) -> UInt32?
}
