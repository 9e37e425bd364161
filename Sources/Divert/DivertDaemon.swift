import DivertWire
import Glibc
public import Kernel

/// The kernel of this machine as a host, by way of divertd.
///
/// The daemon makes the socket and puts it on the port's link; from then on packets travel between the kernel and
/// this program, without it.
public struct DivertDaemon: DivertHost {
  private let path: String

  /// - Parameter path: Where divertd listens; if nil, what DIVERT_SOCKET says, or `/run/divertd.sock`.
  public init(path: String? = nil) {
    self.path = path ?? ControlConnection.path
  }

  public func open(port: UInt16?, options: DivertOptions) throws(SystemError) -> DivertChannel {
    var control = try ControlConnection(path: path)
    guard case .opened = try control.ask(.open), let socket = control.takeDescriptor() else {
      throw SystemError("open a divert socket", code: EPROTO)
    }
    guard case .counted(let slot) = try control.ask(.counts, descriptor: socket.number),
      let memory = control.takeDescriptor()
    else { throw SystemError("open a divert socket", code: EPROTO) }
    let counts = try KernelCounts(memory, slot: slot)
    guard let port else {
      return DivertChannel(descriptor: socket, port: 0, counts: counts, interfaces: KernelInterfaces())
    }
    if !options.socketOptions.isEmpty {
      guard case .done = try control.ask(.options(options.socketOptions), descriptor: socket.number) else {
        throw SystemError("set a divert socket's options", code: EPROTO)
      }
    }
    guard case .bound(let port, _) = try control.ask(.bind(port: port), descriptor: socket.number) else {
      throw SystemError("bind divert port \(port)", code: EPROTO)
    }
    return DivertChannel(
      descriptor: socket, port: port, control: control, counts: counts,
      interfaces: KernelInterfaces())
  }
}
