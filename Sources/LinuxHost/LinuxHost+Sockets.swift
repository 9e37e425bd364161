import BPF
import DivertEngine
package import DivertWire
import Glibc
package import Kernel
import RuleCompiler

/// Divert sockets handed out, the ports they bind, and when these are free again.
extension LinuxHost {
  /// A divert socket without a port, which can already send (on `divert0`).
  package func openSocket() throws(SystemError) -> (descriptor: CInt, link: UInt32) {
    let socket = try PacketSocket.open()
    let cookie = try PacketSocket.cookie(socket)
    try PacketSocket.setReceiveBuffer(socket, bytes: 8 << 20)
    // Bound to the device, but to no protocol: it sends there, and receives nothing.
    try PacketSocket.bind(socket, to: upcallLink.index, receiving: false)
    let slot = try ports.add(socket: cookie) { hookCounts[slot: $0] }
    try maps.sockets.update(cookie, HookSocket(rights: .reinject, slot: slot))
    try write(cookie)
    return (socket.release(), upcallLink.index)
  }

  /// Puts a socket on the link of a port; port 0 takes any free one.
  ///
  /// - Throws: `EINVAL` for a socket that is bound already or is none of ours, `EADDRINUSE` when a living socket
  ///   has the port.
  package func bind(
    _ socket: borrowing Descriptor, port wanted: UInt16
  ) throws(SystemError) -> (port: UInt16, link: UInt32) {
    let action = "bind divert port \(wanted)"
    let cookie = try handedOut(socket, action).cookie
    guard ports.port(of: cookie) == nil else {
      throw SystemError(action, code: EINVAL, advice: "the socket is bound already; open another one")
    }
    if ports.table[wanted] != nil { releaseDeadSockets() }
    let port: UInt16
    do throws(PortRefusal) {
      port = try ports.table.choose(wanted)
    } catch {
      throw SystemError(
        action, code: error.code, advice: "another program has bound it; end that one, or take another port")
    }
    let link = try link(forPort: port)
    try lock(socket, to: link, action)
    try PacketSocket.bind(socket, to: link.index)
    ports.hold(port, link, cookie, before: hookCounts[port])
    try write(cookie)
    tellHooks(port)
    return (port, link.index)
  }

  private func link(forPort port: UInt16) throws(SystemError) -> HostLink {
    if let former = ports.formerLink(ofPort: port) { return former }
    let device = try LinkDevice(HostLink.name(ofPort: port), kept: kept)
    return try HostLink(device, program: linkProgram, kept: kept)
  }

  /// Whatever its holder binds the socket to, it receives from the link only.
  private func lock(
    _ socket: borrowing Descriptor, to link: HostLink, _ action: String
  ) throws(SystemError) {
    do throws(SystemError) {
      try PacketSocket.lock(socket, to: link.index)
    } catch {
      switch error.code {
      case EPERM: break  // It has a locked filter of its program's own.
      case EINVAL:
        throw SystemError(action, code: EINVAL, advice: "the socket has been bound before; open another one")
      default: throw error
      }
    }
  }

  /// What the hooks count for a socket: its slot, and the memory, to be read only.
  ///
  /// - Throws: `EINVAL` for a socket that is none of ours.
  package func counts(
    of socket: borrowing Descriptor
  ) throws(SystemError) -> (slot: UInt32, descriptor: CInt) {
    let slot = try handedOut(socket, "count a socket's packets").socket.slot
    return (slot, try maps.socketCounts.descriptor.duplicate().release())
  }

  /// A socket that came along with a request.
  ///
  /// - Throws: `EINVAL` for one that is none of ours.
  func handedOut(
    _ socket: borrowing Descriptor, _ action: String
  ) throws(SystemError) -> (cookie: UInt64, socket: HandedSocket) {
    let cookie = try PacketSocket.cookie(socket)
    guard let handed = ports.sockets[cookie] else {
      throw SystemError(action, code: EINVAL, advice: "the socket is not one that divertd opened")
    }
    return (cookie, handed)
  }

  /// Whether there are sockets whose end nobody tells us.
  package var hasSockets: Bool { !ports.sockets.isEmpty }

  /// Frees the ports whose sockets are gone. Nobody tells when the last copy of a descriptor is closed, so the kernel
  /// is asked which sockets there are.
  package func releaseDeadSockets() {
    if hasSockets, let table = try? PacketSocketTable.read() { releaseSockets(gone: table) }
  }

  /// - Parameter table: The sockets there are.
  func releaseSockets(gone table: PacketSocketTable) {
    ports.look(at: table.entries)
    let living = Set(table.entries.map(\.cookie))
    for cookie in ports.sockets.keys where !living.contains(cookie) {
      maps.sockets.delete(cookie)
      kept?.ledger.strike(cookie)
      ports.forget(socket: cookie)
    }
    for port in ports.table.ports {
      guard let holder = ports.table[port], !living.contains(holder.cookie) else { continue }
      hookCounts.set(port: port, link: 0, options: [])
      ports.releaseLater(port)
    }
  }

  var upcallInterface: UInt32 { upcallLink.index }

  /// The link of a bound port.
  func link(ofPort port: UInt16) -> UInt32? { ports.table[port]?.link.index }

  func wantsWholePackets(port: UInt16) -> Bool {
    ports.table[port].map { !$0.options.contains(.fragments) } ?? false
  }

  func wantsOwner(port: UInt16) -> Bool { ports.table[port]?.options.contains(.owner) ?? false }

  /// Says what the socket wants, whether it has a port by now or not.
  ///
  /// - Throws: `EINVAL` for a socket that is none of ours, `ENOPROTOOPT` for what this kernel cannot tell.
  package func setOptions(
    _ options: SocketOptions, of socket: borrowing Descriptor
  ) throws(SystemError) {
    let notes: [(SocketOptions, SocketNotes)] = [(.time, .time), (.mark, .mark), (.owner, .owner)]
    let wanted = SocketNotes(notes.compactMap { options.contains($0.0) ? $0.1 : nil })
    let options = HookPortOptions(rawValue: options.rawValue)
    let cookie = try handedOut(socket, "set a divert socket's options").cookie
    try PacketSocket.ask(for: wanted, on: socket)
    ports.setOptions(options, of: cookie)
    try write(cookie)
    if let port = ports.port(of: cookie) { tellHooks(port) }
  }

  private func tellHooks(_ port: UInt16) {
    guard let holder = ports.table[port] else { return }
    hookCounts.set(port: port, link: holder.link.index, options: holder.options)
  }
}
