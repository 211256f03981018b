describe package('nginx') do
  it { should be_installed }
end

[80, 443].each do |p|
  describe port(p) do
    it { should be_listening }
    its('processes') { should include 'nginx' }
  end
end

describe port 8125 do
  it { should be_listening.with('udp') }
end

describe host('db.example.com', port: 5433, protocol: 'tcp') do
  it { should be_reachable }
end

describe host('192.0.2.9', port: 3306, protocol: 'tcp') do
  it { should_not be_reachable }
end

describe http('http://127.0.0.1:8090/health') do
  its('status') { should cmp 200 }
end

describe file('/etc/nginx/nginx.conf') do
  its('content') { should match /listen\s+8443/ }
end

xdescribe port(9200) do
  it { should be_listening }
end
