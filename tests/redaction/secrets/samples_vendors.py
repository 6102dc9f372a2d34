"""Examples of the rules by vendor: models, clouds, source hosts, communication, payments, infrastructure."""

from tests.redaction.secrets.samples import Examples

MODELS = {
    "Anthropic key": Examples(
        ["key: «sk-ant-api03-‹s93›AA»", "x «sk-ant-admin01-‹w40›»"], ["sk-ant-short", "risk-ant-colony-optimization-2024"]
    ),
    "Anthropic key, glued": Examples(["key«sk-ant-api03-Zq8Kx2Lm5Np7Rt9Vw1Yb3Dc6Fg4Hj0»"], ["risk-ant-colony-optimization-2024"]),
    "OpenAI project key": Examples(
        ["use «sk-proj-‹s60›T3BlbkFJ‹w60›» please", '"«sk-svcacct-‹w50›»"'], ["the task sk-proj-planning-document-final is done"]
    ),
    "OpenAI project key, glued": Examples(["keyx«sk-proj-‹w40›»"], ["the task-proj-planning-document-2024-final is done"]),
    "OpenAI key": Examples(["«sk-‹w48›»", "key «sk-demo-4f9a8b7c6d5e4f3a»"], ["sk-learn and sk-cube-grid-loading-indicator", "sk-short1"]),
    "OpenAI session": Examples(["Bearer «sess-‹w40›»"], ["sess-short", "sess-" + "a" * 40]),
    "Hugging Face token": Examples(
        ["HF_TOKEN=«hf_‹w34›»", "login «hf_‹w34›»."], ["hf_" + "model" * 6, "shelf_" + "a1" * 17, "hf_hub_download"]
    ),
    "Hugging Face token of an organisation": Examples(["«api_org_‹w34›»"], ["api_org_members_list_of_all_the_people"]),
    "Groq key": Examples(["GROQ_API_KEY=«gsk_‹w52›»"], ["gsk_short", "ngsk_" + "a" * 52]),
    "Cohere key": Examples(["cohere: «‹w40›»"], ["cohere commit ‹h40›", "cohere " + "a" * 40]),
    "Cohere key by name": Examples(
        ["COHERE_API_KEY=«‹w40›»", "| CO_API_KEY | «‹w40›» |", "co_api_key: '«‹w40›»'"], ["cohere_model=command-r-plus-08-2024"]
    ),
    "Mistral key": Examples(["the mistral key «‹w32›»"], ["mistral cmpl-‹h32›", "mistral ‹h32›"]),
    "Mistral key by name": Examples(
        ["MISTRAL_API_KEY=«‹w32›»", '"mistralApiKey": "«‹w32›»"'], ["MISTRAL_API_KEY=YOUR_KEY", "mistral_tokens=123"]
    ),
    "Perplexity key": Examples(["«pplx-‹w48›»"], ["pplx-short", "pplx-" + "a" * 40]),
    "Replicate token": Examples(["REPLICATE_API_TOKEN=«r8_‹w37›»"], ["r8_short", "var8_" + "a" * 37, "r8_" + "a" * 37]),
    "xAI key": Examples(["«xai-‹w80›»"], ["xai-grok-4-fast", "xai-" + "a" * 60]),
    "OpenRouter key": Examples(["«sk-or-v1-‹h64›»"], ["sk-or-v1-short", "task-or-v1-planning"]),
    "Fireworks key": Examples(["FIREWORKS_API_KEY=«fw_‹w24›»"], ["fw_version_number_and_more", "fw_short1"]),
    "Together key": Examples(["«tgp_v1_‹s43›»"], ["tgp_v1_short"]),
    "Together key by context": Examples(["my together api key: «‹h64›»"], ["together ‹h64›"]),
    "Together key by name": Examples(["TOGETHER_API_KEY=«‹h64›»"], ["together ‹h64›"]),
    "NVIDIA key": Examples(["«nvapi-‹s64›»"], ["nvapi-short"]),
    "Cerebras key": Examples(["«csk-‹l48›»"], ["csk-short", "desk-" + "a" * 48]),
    "Voyage key": Examples(["«pa-‹s43›»"], ["pa-" + "x" * 43, "spa-‹s43›"]),
    "Jina key": Examples(["«jina_‹w60›»"], ["jina_embeddings_v3"]),
    "Deepgram key": Examples(["DEEPGRAM_API_KEY=«‹h40›»"], ["deepgram ‹h40›"]),
    "AssemblyAI key": Examples(["ASSEMBLYAI_API_KEY: «‹h32›»"], ["assemblyai job ‹h32›"]),
    "ElevenLabs key": Examples(["«sk_‹h48›»"], ["task_‹h48›", "sk_‹h20›"]),
    "Deepgram key by context": Examples(["the deepgram key is «‹h40›»"], ["deepgram request ‹h40›"]),
    "AssemblyAI key by context": Examples(["our assemblyai api key «‹h32›»"], ["assemblyai transcript ‹h32›"]),
    "ElevenLabs key by context": Examples(["the elevenlabs API key `«‹h32›»`"], ["elevenlabs voice ‹h32›"]),
    "ElevenLabs key by name": Examples(["xi-api-key: «‹h32›»", "ELEVENLABS_API_KEY=«‹h32›»"], ["elevenlabs voice ‹h32›"]),
    "LangSmith key": Examples(["«lsv2_pt_‹h32›_‹h10›»", "«lsv2_sk_‹h32›_‹h10›»"], ["lsv2_pt_short"]),
    "LangSmith key of old": Examples(["«ls__‹h32›»"], ["ls__short", "als__‹h32›"]),
    "Langfuse key": Examples(["LANGFUSE_SECRET_KEY=«sk-lf-‹U1›»"], ["pk-lf-‹U1›", "sk-lf-short"]),
    "Helicone key": Examples(["«sk-helicone-‹l7›-‹l7›-‹l7›-‹l7›»"], ["sk-helicone-short"]),
    "Pinecone key": Examples(["«pcsk_‹w6›_‹w63›»"], ["pcsk_short"]),
    "Pinecone key by context": Examples(["the pinecone api key is «‹U1›»"], ["pinecone index ‹U1›"]),
    "Pinecone key by name": Examples(["PINECONE_API_KEY=«‹U1›»"], ["pinecone index ‹U1›"]),
    "Tavily key": Examples(["«tvly-‹w32›»", "«tvly-dev-‹w32›»"], ["tvly-short"]),
    "Firecrawl key": Examples(["«fc-‹h32›»"], ["fc-short", "ufc-‹h32›"]),
    "E2B key": Examples(["«e2b_‹h40›»"], ["e2b_sandbox_template"]),
    "RunPod key": Examples(["«rpa_‹w44›»"], ["rpa_process_step"]),
    "Weights & Biases key": Examples(["«wandb_v1_‹w27›_‹w40›»"], ["wandb_v1_short"]),
    "Weights & Biases key by context": Examples(["wandb api key «‹h40›»"], ["wandb run ‹h40›"]),
    "Weights & Biases key by name": Examples(["WANDB_API_KEY=«‹h40›»"], ["wandb run ‹h40›"]),
    "PostHog key": Examples(["«phx_‹w43›»"], ["phc_‹w43›", "phx_short"]),
    "Modal token": Examples(["MODAL_TOKEN_SECRET «as-‹w22›»"], ["as-" + "a" * 22, "was-‹w22›"]),
}

CLOUDS = {
    "AWS access key id": Examples(
        ["id «AKIA‹u16›».", "AWS_ACCESS_KEY_ID=«ASIA‹u16›»"], ["AKIATOOSHORT1", "AROA‹u16›", "AIDA‹u16›", "SLOVAKIAINTERNATIONALTRADEFAIR"]
    ),
    "AWS access key id, glued": Examples(["id«AKIAIOSFODNN7EXAMPLE»"], ["EURASIAINTERNATIONALFINANCE"]),
    "AWS secret beside its access key id": Examples(["AKIA‹u16› «‹b40›»"], ["AKIA‹u16› ‹h40›"]),
    "AWS secret by name": Examples(
        ["aws_secret_access_key = «‹b40›»", '"SecretAccessKey": "«‹b40›»"', "AWS_SECRET_KEY=«‹b40›»"],
        ["aws_secret_access_key = $AWS_SECRET", "aws_secret_arn=‹h40›x"],
    ),
    "AWS secret by context": Examples(
        ["my aws secret «‹b40›»"], ["commit ‹h40› in aws", "secret " + "a" * 40, "aws logs/production/eu/west/Customer1/Reports"]
    ),
    "AWS session token": Examples(["«IQoJb3JpZ2luX2Vj‹b400›==»", "token «FwoGZXIvYXdzEBYa‹b300›=»"], ["IQoJb3JpZ2lu alone"]),
    "AWS session token by name": Examples(
        ["AWS_SESSION_TOKEN=«‹b200›»", "x-amz-security-token: «‹b120›==»"], ["AWS_SESSION_TOKEN=$TOKEN", "session_token: none"]
    ),
    "Bedrock key": Examples(["AWS_BEARER_TOKEN_BEDROCK=«ABSK‹b120›»"], ["ABSKshort"]),
    "Azure storage key": Examples(["key «‹b76›+ASt‹b6›=="[:-2] + "==»"], ["sha512-‹b86›=="]),
    "Azure storage key by name": Examples(
        ["AccountName=x;AccountKey=«‹b86›==»;EndpointSuffix=core.windows.net", "AZURE_STORAGE_KEY=«‹b86›==»"], ["AccountKey=short"]
    ),
    "Azure storage key by context": Examples(["the azure storage account «‹b86›==»"], ["integrity sha512-‹b86›==", "‹h64›"]),
    "Azure shared access key": Examples(
        ["SharedAccessKeyName=Root;SharedAccessKey=«‹b43›=»"], ["SharedAccessKeyName=RootManageSharedAccessKey"]
    ),
    "Azure shared access signature": Examples(
        [
            "https://acme.blob.core.windows.net/c/f.csv?sv=2022-11-02&ss=b&srt=sco&sp=rl&se=2026-01-01T00:00:00Z&spr=https&sig=«‹b43›%3D»",
            "SAS: «sv=2022-11-02&sr=b&sp=r&se=2026-01-01T00%3A00%3A00Z&sig=‹b43›%3D» end",
        ],
        ["https://acme.example/f?sig=short", "https://acme.example/f?sv=1&x=2"],
    ),
    "Azure client secret": Examples(["secret «abc8Q~‹w34›»"], ["abcQ~" + "x" * 30]),
    "Azure client secret by name": Examples(["AZURE_CLIENT_SECRET=«‹s40›»"], ["AZURE_CLIENT_ID=‹U1›"]),
    "Azure key of a resource": Examples(["«‹w52›JQQJ99BCAC‹w22›»"], ["‹w80›"]),
    "Azure key by context": Examples(["the azure openai key is «‹h32›»"], ["azure request ‹h32›"]),
    "Azure key by name": Examples(["AZURE_OPENAI_API_KEY=«‹h32›»", "Ocp-Apim-Subscription-Key: «‹h32›»"], ["azure request ‹h32›"]),
    "Azure DevOps token": Examples(["«‹w76›AZDO‹w4›»"], ["‹w80›"]),
    "Google API key": Examples(["?key=«AIza‹s35›»", "GOOGLE_API_KEY=«AIza‹s35›»"], ["AIzashort", "Maiza‹s35›"]),
    "Google API key, glued": Examples(["key«AIza‹w35›»"], ["xAIza" + "a" * 35]),
    "Google API key bound to an account": Examples(["«AQ.Ab8RN6‹s44›»"], ["FAQ.Abstract"]),
    "Google service account": Examples(
        ['see «{"type": "service_account", "project_id": "acme", "client_email": "x@acme.iam.gserviceaccount.com"}» there'],
        ['{"type": "authorized_user", "project_id": "acme"}'],
    ),
    "Google service account's key id": Examples(['"private_key_id": "«‹h40›»"'], ['"project_id": "‹h40›"']),
    "Google OAuth token": Examples(["Authorization: Bearer «ya29.a0‹s160›»", "«ya29.c.b0‹s300›»"], ["ya29.short"]),
    "Google refresh token": Examples(['"«1//0g‹s60›»"'], ["1//0short", "http://1//0"]),
    "Google OAuth client secret": Examples(["«GOCSPX-‹s28›»"], ["GOCSPX-short"]),
    "DigitalOcean token": Examples(["«dop_v1_‹h64›»", "«doo_v1_‹h64›»"], ["dop_v1_short"]),
    "DigitalOcean token by context": Examples(["digitalocean token «‹h64›»"], ["digitalocean image ‹h64›"]),
    "DigitalOcean token by name": Examples(["DIGITALOCEAN_ACCESS_TOKEN=«‹h64›»"], ["digitalocean image ‹h64›"]),
    "Alibaba access key id": Examples(["«LTAI5t‹w18›»"], ["LTAISHORT", "LTAIABCDEFGHIJKLMNOP"]),
    "Alibaba secret beside its access key id": Examples(
        ["LTAI5t‹w18› «‹w30›»", "LTAI5t‹w18›\naccess_key_secret: «‹w30›»"], ["LTAI5t‹w18› " + "a" * 30]
    ),
    "Alibaba secret": Examples(["ALIYUN_SECRET «‹w30›»"], ["alibaba " + "a" * 30]),
    "Tencent secret id": Examples(["«AKID‹w32›»"], ["AKIDSHORT", "AKID" + "A" * 32]),
    "Tencent secret beside its id": Examples(["AKID‹w32› / «‹w32›»"], ["AKID‹w32› ‹h32›"]),
    "Tencent secret": Examples(["tencentcloud key «‹w32›»"], ["tencent ‹h32›"]),
    "Heroku key": Examples(["«HRKU-AA‹s58›»", "«HRKU-‹U1›»"], ["HRKU-short"]),
    "Heroku key by name": Examples(["HEROKU_API_KEY=«‹U1›»"], ["heroku request_id=‹U1›"]),
    "Heroku key by context": Examples(["the heroku api key «‹U1›»"], ["heroku dyno ‹U1›"]),
    "Fly.io personal token": Examples(["«fo1_‹s43›»"], ["fo1_short"]),
    "Fly.io macaroon": Examples(["FLY_API_TOKEN=«FlyV1 fm2_‹b160›,fm2_‹b80›»"], ["fm2_short"]),
    "Vercel token": Examples(["«vcp_‹w56›»"], ["vcp_short"]),
    "Vercel storage token": Examples(["«vercel_blob_rw_‹w16›_‹w30›»"], ["vercel_blob_rw_short"]),
    "Vercel token by context": Examples(
        ["VERCEL_TOKEN «‹w24›»", "vercel --token=«‹w24›»"], ["vercel deployment ‹h24›", "vercel " + "a" * 24]
    ),
    "Vercel token by name": Examples(["vercel_token='«LuxTqCQFJFznuuzkylGEdidS»'"], ["vercel_token=" + "a" * 24]),
    "Netlify token": Examples(["«nfp_‹w36›»"], ["nfp_short"]),
    "Netlify token by context": Examples(["netlify «‹w43›»"], ["netlify site ‹h40›"]),
    "Supabase access token": Examples(["«sbp_‹h40›»"], ["sbp_short"]),
    "Supabase secret key": Examples(["«sb_secret_‹s31›»"], ["sb_publishable_‹s31›", "sb_secret_short"]),
    "Cloudflare token": Examples(["«cfut_‹w48›»", "«cfat_‹w48›»", "«cfk_‹w48›»"], ["cfut_short"]),
    "Cloudflare origin key": Examples(["«v1.0-‹h24›-‹h146›»"], ["v1.0-‹h24›"]),
    "Cloudflare token by context": Examples(["cloudflare token «‹w40›»"], ["cloudflare ray ‹h40›"]),
    "Cloudflare key by context": Examples(["id;cloudflare_api_key;region\n1;«‹h37›»;eu-west-1", "cf api key «‹h37›»"], ["cf ray ‹h37›"]),
    "Cloudflare key by name": Examples(
        ["CLOUDFLARE_API_KEY=«‹h37›»", "| CLOUDFLARE_API_KEY | «‹h37›» |", "X-Auth-Key: «‹h37›»"], ["cf-ray: ‹h37›"]
    ),
    "Cloudflare token by name": Examples(["CF_API_TOKEN=«‹s40›»"], ["cf_token=short"]),
    "Scaleway access key": Examples(["«SCW‹u17›»"], ["SCWSHORT", "SCWABCDEFGHIJKLMNOPQ"]),
    "Render key": Examples(["«rnd_‹w28›»"], ["rnd_short"]),
    "Yandex Cloud key": Examples(["«AQVN‹s36›»"], ["AQVNshort", "YC" + "A" * 38]),
}

HOSTS = {
    "GitHub token": Examples(
        ["token «ghp_‹w36›»", "https://«gho_‹w36›»@github.com/acme/app.git", "x«ghs_‹w36›»", "«ghv_‹w36›»"], ["ghp_short", "ghx_‹w36›"]
    ),
    "GitHub token with an id": Examples(["«ghs_123456_‹w60›.‹w80›»"], ["ghs_123_short"]),
    "GitHub token of a kind to come": Examples(["«ghx_0123456789abcdefABCDEFabcdef012HbVdQ»"], ["ghx_‹w36›"]),
    "GitHub fine-grained token": Examples(["«github_pat_‹w22›_‹w59›»", "x«github_pat_‹w40›»"], ["github_pat_short"]),
    "GitHub installation token of old": Examples(["token «v1.‹h40›»"], ["v1.‹h8›", "v1.2.3"]),
    "GitLab token": Examples(["«glpat-‹w20›»", "«glpat-‹w27›.01.‹l9›»", "«glrt-‹w20›»", "«gldt-‹w20›»"], ["glpat-short"]),
    "GitLab runner registration token": Examples(["«GR1348941‹w20›»"], ["GR1348941short"]),
    "Bitbucket app password": Examples(["«ATBB‹w32›»"], ["ATBBshort", "ATBB" + "a" * 32]),
    "Bitbucket access token": Examples(["«ATCTT3xFfGN0‹s170›=‹h8›»"], ["ATCTT3short"]),
    "Bitbucket client secret": Examples(["bitbucket secret «‹w32›»"], ["bitbucket commit ‹h40›"]),
    "Atlassian token": Examples(["«ATATT3xFfGF0‹s170›=‹h8›»"], ["ATATT3short"]),
    "Atlassian token of old": Examples(["JIRA_API_TOKEN «‹w24›»"], ["jira issue " + "a" * 24, "jira ‹h24›"]),
    "npm token": Examples(["//registry.npmjs.org/:_authToken=«npm_‹w36›»"], ["npm_config_registry", "npm_short"]),
    "npm token of old": Examples(["//registry.npmjs.org/:_authToken=«‹U1›»", "NPM_TOKEN=«‹U1›»"], ["npm request ‹U1›"]),
    "PyPI token": Examples(["«pypi-AgEIcHlwaS5vcmc‹s120›»"], ["pypi-AgEshort"]),
    "PyPI token, any": Examples(["«pypi-‹w60›»"], ["pypi-" + "package-" * 6, "pypi-short"]),
    "RubyGems key": Examples(["«rubygems_‹h48›»"], ["rubygems_short"]),
    "crates.io token": Examples(["«cio‹w32›»", "«ciovpwQgSCYJYlimVyTkYSoyombtJNsKFoR»"], ["cio" + "a" * 32, "Pinocio‹w32›"]),
    "NuGet key": Examples(["«oy2‹l43›»", "«oy2vmkniahnajkqytys4pfiuraxlz7p2kwiztbkwohyjoo»"], ["oy2short", "oy2" + "a" * 43]),
    "Docker token": Examples(["docker login -p «dckr_pat_‹s27›»"], ["dckr_pat_short"]),
    "Clojars token": Examples(["«CLOJARS_‹l60›»"], ["CLOJARS_PASSWORD"]),
    "Artifactory key": Examples(["«AKCp‹w69›»"], ["AKCpshort"]),
    "Artifactory reference token": Examples(["«cmVmd‹w59›»"], ["cmVmdshort"]),
    "CircleCI token": Examples(["«CCIPAT_‹w22›_‹h40›»"], ["CCIPAT_short"]),
    "Buildkite token": Examples(["«bkua_‹h40›»"], ["bkua_short"]),
    "Sourcegraph token": Examples(["«sgp_‹h16›_‹h40›»"], ["sgp_short"]),
    "Sonar token": Examples(["«squ_‹h40›»"], ["squ_short"]),
    "Codecov token": Examples(["CODECOV_TOKEN=«‹U1›»"], ["codecov report ‹U1›"]),
    "Harness token": Examples(["«pat.‹w22›.‹h24›.‹w20›»"], ["pat.short.name"]),
    "Postman key": Examples(["«PMAK-‹h24›-‹h34›»"], ["PMAK-short"]),
}

COMMUNICATION = {
    "Slack token": Examples(
        [
            "«xoxb-‹d12›-‹d12›-‹w24›»",
            "«xoxp-‹d11›-‹d11›-‹d11›-‹h32›»",
            "«xapp-1-A0‹d9›-‹d13›-‹h64›»",
            "«xoxe.xoxp-1-‹w120›»",
            "it is «xapp-1-A0‹d9›-‹d13›-‹h64›».",
        ],
        ["xoxb-short", "xoxo-love-and-kisses"],
    ),
    "Slack webhook": Examples(["POST «https://hooks.slack.com/services/T‹u10›/B‹u10›/‹w24›»"], ["https://hooks.slack.com/docs"]),
    "Discord token": Examples(["«MTE‹w23›.GhIjKl.‹s38›»"], ["MODULE_NAME_OF_SOMETHING.method.another_identifier_of_code"]),
    "Discord token with a second factor": Examples(["«mfa.‹s84›»"], ["mfa.enabled"]),
    "Discord webhook": Examples(
        ["«https://discord.com/api/webhooks/‹d18›/‹s68›»", "«https://ptb.discordapp.com/api/v10/webhooks/‹d18›/‹s68›»"],
        ["https://discord.com/api/v10/users/@me"],
    ),
    "Telegram bot token": Examples(
        ["«‹d10›:AA‹s33›»", "https://api.telegram.org/bot«‹d10›:AA‹s33›»/sendMessage"], ["1234567890:" + "a" * 35, "12:30"]
    ),
    "Teams webhook": Examples(
        ["«https://acme.webhook.office.com/webhookb2/‹U1›@‹U1›/IncomingWebhook/‹h32›/‹U1›»"], ["https://acme.webhook.office.com/"]
    ),
    "SendGrid key": Examples(["«SG.‹s22›.‹s43›»"], ["SG.short.key", "MSG.‹s22›.‹s43›"]),
    "Twilio key": Examples(["TWILIO_API_KEY=«SK‹h32›»"], ["AC‹h32›", "TASK‹h32›"]),
    "Twilio secret": Examples(["TWILIO_AUTH_TOKEN=«‹h32›»", "twilio_api_secret: «‹w32›»"], ["twilio call ‹h32›"]),
    "Twilio secret beside its account": Examples(["curl -u AC‹h32›:«‹h32›»"], ["AC‹h32› and ‹h30›"]),
    "Twilio secret by context": Examples(["the twilio auth token is «‹h32›»"], ["twilio message ‹h32›"]),
    "Mailgun key of old": Examples(["api:«key-‹h32›»"], ["key-short", "monkey-‹h32›", "key-" + "a" * 32]),
    "Mailgun key": Examples(["«‹h32›-‹h8›-‹h8›»"], ["‹U1›", "‹h32›-‹h8›"]),
    "Mailchimp key": Examples(["«‹h32›-us12»"], ["‹h32›-eu-west", "‹h30›-us1"]),
    "Mandrill key": Examples(["MANDRILL_API_KEY=«‹s22›»"], ["mandrill message"]),
    "Mailchimp transactional key": Examples(["«md-‹w22›»"], ["md-" + "a" * 22]),
    "Resend key": Examples(["RESEND_API_KEY=«re_‹w8›_‹w24›»"], ["re_compile_all_the_expressions_now", "pre_‹w24›"]),
    "Brevo key": Examples(["«xkeysib-‹h64›-‹w16›»"], ["xkeysib-short"]),
    "Postmark token": Examples(["X-Postmark-Server-Token: «‹U1›»"], ["postmark message ‹U1›"]),
    "Linear key": Examples(["«lin_api_‹w40›»", "«lin_oauth_‹h64›»"], ["lin_api_short"]),
    "Notion token": Examples(["«ntn_‹d11›‹w35›»"], ["ntn_short", "ntn_" + "a" * 40]),
    "Notion token of old": Examples(["NOTION «secret_‹w43›»"], ["secret_" + "a" * 43, "secret_name_of_something"]),
    "Figma token": Examples(["«figd_‹s40›»"], ["figd_short"]),
    "Airtable token": Examples(["«pat‹w14›.‹h64›»"], ["path.to.something", "pat‹w14›"]),
    "Airtable key of old": Examples(["airtable «key‹w14›»"], ["airtable keyboardshortcuts1"]),
    "Asana token": Examples(["«1/‹d16›:‹h32›»", "«2/‹d16›/‹d16›:‹h32›»"], ["1/2:3"]),
    "Asana secret": Examples(["ASANA_CLIENT_SECRET=«‹h32›»"], ["asana task ‹d16›"]),
    "HubSpot token": Examples(["«pat-na1-‹U1›»"], ["pat-na1-short"]),
    "Typeform token": Examples(["«tfp_‹s44›_‹w14›»"], ["tfp_short"]),
    "Contentful token": Examples(["«CFPAT-‹s43›»"], ["CFPAT-short"]),
    "Intercom token": Examples(["«dG9rO‹w52›»"], ["dG9rOshort"]),
    "Salesforce session": Examples(["«00D‹w15›!‹w96›»"], ["00D‹w15›"]),
    "Facebook token": Examples(["«EAAB‹w150›»"], ["EAABshort"]),
    "X bearer token": Examples(["«AAAAAAAAAAAAAAAAAAAAA‹w80›»"], ["A" * 80]),
}

PAYMENTS = {
    "Stripe key": Examples(["«sk_live_‹w24›»", "STRIPE=«rk_test_‹w99›»"], ["pk_live_‹w24›", "sk_live_short"]),
    "Stripe key of a signing service": Examples(["«sk_live_‹w12›_‹w20›»"], ["sk_test_the_thing_that_we_do_in_tests"]),
    "Stripe webhook secret": Examples(["«whsec_‹w32›»", "«whsec_‹b31›=»"], ["whsec_short"]),
    "Stripe client secret": Examples(["«pi_‹w24›_secret_‹w25›»"], ["pi_‹w24›"]),
    "Shopify token": Examples(["«shpat_‹h32›»", "«shpss_‹h32›»"], ["shpat_short"]),
    "Square token": Examples(["«EAAA‹s60›»"], ["EAAAshort", "EAAA" + "a" * 60]),
    "Square token of old": Examples(["«sq0atp-‹s22›»", "«sq0csp-‹s43›»"], ["sq0atp-short"]),
    "Braintree token": Examples(["«access_token$production$‹l16›$‹h32›»"], ["access_token$production"]),
    "PayPal secret by name": Examples(["PAYPAL_CLIENT_SECRET=«‹s80›»"], ["PAYPAL_MODE=sandbox"]),
    "PayPal secret": Examples(["paypal «E‹s79›»"], ["paypal E" + "a" * 79]),
    "Plaid access token": Examples(["«access-sandbox-‹U1›»"], ["access-sandbox-short"]),
    "Plaid secret by name": Examples(["PLAID_SECRET=«‹h30›»"], ["plaid item ‹h24›"]),
    "Plaid secret": Examples(["plaid «‹h30›»"], ["plaid ‹h32›"]),
    "Razorpay key": Examples(["«rzp_live_‹w14›»"], ["rzp_live_short"]),
    "Flutterwave key": Examples(["«FLWSECK_TEST-‹h32›-X»"], ["FLWPUBK_TEST-‹h32›"]),
    "EasyPost key": Examples(["«EZAK‹w54›»"], ["EZAKshort"]),
    "Shippo token": Examples(["«shippo_live_‹h40›»"], ["shippo_live_short"]),
    "Lob key": Examples(["«live_‹h35›»"], ["live_short", "alive_‹h35›"]),
    "Duffel token": Examples(["«duffel_test_‹s43›»"], ["duffel_test_short"]),
    "Adyen key": Examples(["«AQEyhm‹b100›»"], ["AQEyhmshort"]),
    "Coinbase key": Examples(["«organizations/‹U1›/apiKeys/‹U1›»"], ["organizations/‹U1›"]),
    "Mollie key": Examples(["«live_‹w30›»"], ["live_" + "a" * 30]),
}

INFRASTRUCTURE = {
    "Databricks token": Examples(["«dapi‹h32›»", "«dapi‹h32›-2»", "«dose‹h32›»"], ["dapishort", "overdose‹h32›", "dapi‹h32›zz"]),
    "Snowflake session token": Examples(['Snowflake Token="«ver:1-hint:92019676298218-ETMsDgAAA‹b180›»"'], ["ver:1-hint:2"]),
    "Snowflake secret by name": Examples(
        ["SNOWFLAKE_PASSWORD=«Wint3r!sComing»", 'var snowflakeToken string = "«‹w30›»"', "SNOWSQL_PWD=«‹w20›»"],
        ["SNOWFLAKE_PASSWORD=$PASSWORD"],
    ),
    "PlanetScale token": Examples(["«pscale_tkn_‹s43›»", "«pscale_pw_‹s43›»"], ["pscale_tkn_short"]),
    "Neon key": Examples(["«napi_‹l64›»"], ["napi_create_string_utf8"]),
    "Atlas service account secret": Examples(["«mdb_sa_sk_‹s40›»"], ["mdb_sa_id_‹h24›"]),
    "Confluent secret": Examples(["«cflt‹b60›»"], ["cflt" + "a" * 60]),
    "ClickHouse Cloud secret": Examples(["«4b1d‹w38›»"], ["4b1d‹h38›"]),
    "Datadog key by name": Examples(["DD_API_KEY=«‹h32›»", "DATADOG_APP_KEY: «‹h40›»", "dd-api-key: «‹h32›»"], ["dd.trace_id=‹h32›"]),
    "Datadog key": Examples(
        ["the datadog api key «‹h32›»", 'var ddAppKey string = "«‹h40›»"', "set dd_api_key to `«‹h32›»`"],
        ["datadog trace ‹h32›", "dd ‹h32›"],
    ),
    "Datadog application key": Examples(["«ddapp_‹w34›»"], ["ddapp_short"]),
    "New Relic key": Examples(["«NRAK-‹u27›»", "«NRII-‹s32›»"], ["NRAK-short"]),
    "New Relic licence key": Examples(["«‹h36›NRAL»", "«eu01xx‹h30›NRAL»"], ["‹h36›"]),
    "New Relic key by context": Examples(["the new relic license key is «‹h40›»"], ["new relic trace ‹h40›"]),
    "New Relic key by name": Examples(["NEW_RELIC_LICENSE_KEY=«‹h40›»"], ["new relic guid ‹h40›"]),
    "Sentry token": Examples(["«sntrys_eyJ‹b150›»", "«sntryu_‹h64›»"], ["sntryu_short"]),
    "Sentry DSN": Examples(
        ["https://«‹h32›»@o123.ingest.sentry.io/456", "https://«‹h32›»@o1.ingest.us.sentry.io/4"], ["https://‹h32›.example.com/1"]
    ),
    "Grafana service account token": Examples(["«glsa_‹w32›_‹h8›»"], ["glsa_short"]),
    "Grafana Cloud token": Examples(["«glc_eyJ‹b120›»"], ["glc_eyJshort"]),
    "Grafana key of old": Examples(["«eyJrIjoi‹b90›»"], ["eyJrIjoishort"]),
    "Dynatrace token": Examples(["«dt0c01.‹u24›.‹u64›»"], ["dt0c01.short"]),
    "Honeycomb key": Examples(["«hcaik_‹l58›»"], ["hcaik_short"]),
    "Logfire token": Examples(["«pylf_v1_us_‹w43›»"], ["pylf_v1_us_short"]),
    "Vault token": Examples(["VAULT_TOKEN=«hvs.‹s90›»", "«hvb.‹s120›»"], ["hvs.short"]),
    "Vault token of old": Examples(["X-Vault-Token: «s.‹w24›»"], ["s.someMethodOfTheClassHere", "os.‹w24›"]),
    "Terraform token": Examples(["«‹w14›.atlasv1.‹s67›»"], ["x.atlasv1.short"]),
    "Doppler token": Examples(["«dp.pt.‹w43›»", "«dp.st.dev.‹w40›»"], ["dp.pt.short"]),
    "1Password service account": Examples(["OP_SERVICE_ACCOUNT_TOKEN=«ops_eyJ‹b600›»"], ["ops_eyJshort"]),
    "1Password secret key": Examples(["«A3-‹u6›-‹u6›-‹u5›-‹u5›-‹u5›-‹u5›»", "«A3-‹u6›-‹u11›-‹u5›-‹u5›-‹u5›»"], ["A3-SHORT-ONE"]),
    "age key": Examples(["«AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2 + "»"], ["age1qpzry9x8gf2tvdw0s3jn54khce6mua7l"]),
    "Pulumi token": Examples(["«pul-‹h40›»"], ["pul-short"]),
    "Infracost key": Examples(["«ico-‹w32›»"], ["ico-short", "pico-‹w32›"]),
    "Tailscale key": Examples(["«tskey-auth-‹w12›-‹w32›»"], ["tskey-auth-short"]),
    "Prefect key": Examples(["«pnu_‹w36›»"], ["pnu_short"]),
    "Okta token": Examples(["okta «00‹s40›»"], ["okta 00‹h40›", "okta 00" + "a" * 40]),
    "Okta token behind its scheme": Examples(["Authorization: SSWS «00‹s40›»"], ["SSWS token", "SSWS <token>"]),
    "Okta secret by name": Examples(["OKTA_API_TOKEN=«‹s42›»"], ["okta_domain=acme.okta.com"]),
    "Auth0 secret by name": Examples(["AUTH0_CLIENT_SECRET=«‹s64›»"], ["AUTH0_DOMAIN=acme.eu.auth0.com"]),
    "Auth0 secret": Examples(["auth0 «‹s64›»"], ["auth0 ‹h64›"]),
    "LaunchDarkly key": Examples(["«sdk-‹U1›»"], ["sdk-short", "‹U1›"]),
    "Mapbox token": Examples(["«sk.eyJ‹w80›.‹w22›»"], ["pk.eyJ‹w80›.‹w22›"]),
    "ReadMe key": Examples(["«rdme_‹l70›»"], ["rdme_short"]),
    "Algolia key": Examples(["ALGOLIA_ADMIN_KEY=«‹h32›»"], ["algolia query ‹h32›"]),
    "Algolia key by context": Examples(["algolia admin key «‹h32›»"], ["algolia query ‹h32›"]),
}

EXAMPLES = {**MODELS, **CLOUDS, **HOSTS, **COMMUNICATION, **PAYMENTS, **INFRASTRUCTURE}
