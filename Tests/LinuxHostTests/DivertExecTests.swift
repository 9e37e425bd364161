import Foundation
import Namespaces
import Testing

/// What `divert exec` starts, and what it says when it cannot.
@Suite(.serialized) struct DivertExecTests {
  @Test func `exit statuses`() throws {
    let host = try LinuxScenario()
    #expect(try host.divertExec(["sh", "-c", "exit 5"], expecting: nil).status == 5)
    #expect(try host.divertExec(["sh", "-c", "echo $#", "sh", "--socket", "-x"]).output == "2\n")
    for (words, status, saying): ([String], Int32, String) in [
      ([], 64, "which program?"), (["no-such-program"], 127, "no-such-program: No such file"),
      (["/etc/passwd"], 126, "/etc/passwd: Permission denied"),
      (["/"], 126, "/: Permission denied"),
    ] {
      let result = try host.divertExec(words, expecting: nil)
      #expect(result.status == status && result.errors.contains(saying), "\(words): \(result)")
    }
    #expect(try host.divertExec([""], expecting: nil).status == 127)
    let socket = ["DIVERT_SOCKET": "/tmp/nowhere-\(getpid())"]
    let alone = try host.b.run(
      [Programs.path("divert"), "exec", "--", "true"], environment: socket, expecting: 69)
    #expect(alone.errors.contains("start divertd"))
  }

  @Test func `programs that the library would not reach`() throws {
    let host = try LinuxScenario()
    let directory = FileManager.default.temporaryDirectory.appending(path: "exec-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try host.b.run("cp", "/usr/bin/true", "\(directory)/raising")
    try host.b.run("chown", "nobody", "\(directory)/raising")
    try host.b.run("chmod", "4755", "\(directory)/raising")
    try image(sections: [".go.buildinfo"], loader: "/lib64/ld-linux-x86-64.so.2", to: "\(directory)/go")
    try image(sections: [".text"], loader: nil, to: "\(directory)/static")
    try image(sections: [".text"], loader: "/lib/ld-musl-x86_64.so.1", to: "\(directory)/musl")
    try image(sections: [], loader: nil, bits: 1, to: "\(directory)/old")
    try script("#!\(directory)/static -x\n", to: "\(directory)/script")
    try damagedImage(to: "\(directory)/damaged")
    for (name, saying) in [
      ("raising", "set-user-ID"), ("go", "Go program"), ("static", "linked statically"), ("musl", "musl"),
      ("old", "another machine"), ("script", "linked statically"),
      ("damaged", "linked statically"),
    ] {
      let result = try host.divertExec(["\(directory)/\(name)"], expecting: nil)
      #expect(result.status == 69, "\(name): \(result)")
      #expect(result.errors.contains(saying) && result.errors.split(separator: "\n").count == 1, "\(result)")
    }
    try script("exit 4\n", to: "\(directory)/plain")
    #expect(try host.divertExec(["\(directory)/plain"], expecting: nil).status == 4)
  }

  /// Scripts whose first line leads nowhere: what the kernel says, and of which file.
  @Test func `scripts`() throws {
    let host = try LinuxScenario()
    let directory = FileManager.default.temporaryDirectory.appending(path: "exec-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    for (line, status, saying): (String, Int32, String) in [
      ("/usr/bin/env python3\nimport sys; print('yes', file=sys.stderr)", 0, "yes"),
      ("/no/such/shell -x", 127, "script for /no/such/shell"),
      ("\(directory)/script", 126, "symbolic links"), (directory, 126, "Permission denied"),
      ("/bin/sh\necho no >&2; exit 3", 3, "no"),
    ] {
      try script("#!\(line)\n", to: "\(directory)/script")
      // Of a script Linux takes no notice of that bit, nor do we.
      try host.b.run("chown", "nobody", "\(directory)/script")
      try host.b.run("chmod", "4755", "\(directory)/script")
      let result = try host.divertExec(["\(directory)/script"], expecting: nil)
      #expect(result.status == status && result.errors.contains(saying), "\(line): \(result)")
    }
  }

  private func script(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  /// One whose header and first section say the greatest numbers there are.
  private func damagedImage(to path: String) throws {
    try image(sections: [".text"], loader: nil, to: path)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes.replaceSubrange(32..<40, with: [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])  // program headers at
    bytes.replaceSubrange(56..<58, with: [0xff, 0xff])  // how many
    let (section, names) = (bytes.count - 128, bytes.count - 64)
    bytes.replaceSubrange(section..<section + 4, with: [0xff, 0xff, 0xff, 0xff])  // its name at
    bytes.replaceSubrange(names + 24..<names + 32, with: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])
    try bytes.write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  /// A program's file (elf(5)) as far as anybody looks who does not run it.
  private func image(sections: [String], loader: String?, bits: UInt8 = 2, to path: String) throws {
    var bytes = [UInt8](repeating: 0, count: 64)
    func put(_ value: Int, _ size: Int, at offset: Int) {
      for i in 0..<size { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> (8 * i)) }
    }
    #if arch(x86_64)
      let machine = 62
    #else
      let machine = 183
    #endif
    bytes.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, bits, 1])
    put(machine, 2, at: 18)
    // One program header, then the loader's name, the sections' names, the sections' headers.
    bytes += [UInt8](repeating: 0, count: 56)
    put(64, 8, at: 32)
    put(56, 2, at: 54)
    put(1, 2, at: 56)
    if let loader {
      put(3, 4, at: 64)
      put(bytes.count, 8, at: 64 + 8)
      put(loader.utf8.count + 1, 8, at: 64 + 32)
      bytes += Array(loader.utf8) + [0]
    }
    let names = bytes.count
    let offsets = sections.map { name in
      defer { bytes += Array(name.utf8) + [0] }
      return bytes.count - names
    }
    put(bytes.count, 8, at: 40)
    put(64, 2, at: 58)
    put(sections.count + 1, 2, at: 60)
    put(sections.count, 2, at: 62)
    for offset in offsets + [0] {
      let start = bytes.count
      bytes += [UInt8](repeating: 0, count: 64)
      put(offset, 4, at: start)
      put(names, 8, at: start + 24)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  /// The same with the library as without.
  @Test(arguments: [
    ["sh", "-c", "ls -l /usr/bin | sort | md5sum; cat /etc/passwd | wc -l; echo x >/dev/null 3>&1 4>&3"],
    [
      "perl", "-e",
      "open my $f, '<', '/etc/passwd'; dup2: open my $g, '<&', $f; print <$g>; pipe my $r, my $w; print $w 'x'; close $w; print <$r>",
    ],
    [
      "python3", "-c",
      """
      import array, os, select, socket, subprocess
      a, b = socket.socketpair(); a.sendall(b'xyz'); print(b.recv(10), a.getsockopt(1, 39), a.getsockname())
      fds = [b.fileno()]; socket.send_fds(a, [b'f'], fds); print(len(socket.recv_fds(b, 10, 4)[1]))
      r, w = os.pipe(); os.dup2(w, 50); os.write(50, b'abc'); os.close(50); print(os.read(r, 10), select.select([r], [w], [], 0) == ([], [w], []))
      s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); d, _ = s.accept()
      c.sendmsg([b'12', b'34']); print(d.recvmsg(10), d.recv_into(bytearray(4), 0, socket.MSG_DONTWAIT) if select.select([d], [], [], 0)[0] else 'empty'); c.shutdown(1); print(d.recv(1), c.getpeername() == d.getsockname())
      u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0)); u.sendto(b'u', u.getsockname()); print(u.recvfrom(9)[0])
      raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); print(raw.proto, raw.getsockopt(0, 3))
      packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); print(packet.getsockopt(1, 39), packet.getsockname())
      print(subprocess.run(['echo', 'child'], capture_output=True).stdout)
      """,
    ],
  ]) func `programs without divert sockets`(_ words: [String]) throws {
    let host = try LinuxScenario()
    let plain = try host.b.run(words)
    let preloaded = try host.divertExec(words)
    #expect(preloaded.output == plain.output && preloaded.errors == plain.errors)
    #expect(!plain.output.isEmpty)
  }
}
